using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Residuals;

/// <summary>
/// Attention residuals (arXiv 2603.15031): each sub-block, and the last norm, reads Σ_i p_i v_i over the embedding and what all sub-blocks before it made, with
/// p = softmax_i(⟨query, RMSNorm(v_i) ⊙ gain⟩) for each token. The query starts at 0, where it reads the mean: what plain addition gives, but for a factor that
/// the norm after it takes out.
/// </summary>
public sealed record AttentionResidualsConfig : ResidualConfig
{
    public static AttentionResidualsConfig Tiny => new();

    /// <inheritdoc/>
    public override Residual Build(ModuleBuilder builder) => new AttentionResiduals(builder);
}

/// <summary>Carries the embedding and what sub-blocks made, each [B, T, C].</summary>
internal sealed class AttentionResiduals : Residual
{
    private readonly DepthRead _end;
    private readonly Table _shares;
    private int _values = 1;

    public AttentionResiduals(ModuleBuilder builder)
    {
        _end = new DepthRead(builder, "final_residual");
        int most = (2 * builder.Model.Layers) + 1;
        _shares = builder.Table($"shares.{most}", Layout.Of(most), () => [.. Enumerable.Range(1, most).Select(count => 1.0 / count)]);
    }

    public override IReadOnlyList<TapPoint> EndPoints => _end.TapPoints(_values);

    public override Connection Connect(ModuleBuilder builder, string name) => new AttentionResidual(new DepthRead(builder, name), _values++);

    public override IReadOnlyList<Tensor> At(ForwardContext context, string place, IReadOnlyList<Tensor> stream)
    {
        Tape tape = context.Tape;
        string name = $"hook_resid_{place}";
        if (!Tap.IsWanted(tape, name))
        {
            return stream;
        }

        Tensor sum = stream.Aggregate((sum, value) => AddOp.Record(tape, sum, value));
        if (!Tap.IsEdited(tape, name))
        {
            // Nothing uses the sum, so that no gradient comes back to it.
            Tap.ReadOnly(tape, name, sum);
            return stream;
        }

        sum = Tap.At(tape, name, sum);
        int count = stream.Count, batch = sum[0], time = sum[1], width = sum[2];
        Tensor share = MixStreamsOp.Record(tape, tape.Use(_shares).Slice(0, count - 1, 1).Reshape(1, 1), sum.Reshape(batch, time, 1, width));
        return [.. Enumerable.Repeat(share.Reshape(batch, time, width), count)];
    }

    public override Tensor End(ForwardContext context, IReadOnlyList<Tensor> stream) => _end.Forward(context.Tape, stream);

    private sealed class AttentionResidual(DepthRead read, int values) : Connection
    {
        public override IReadOnlyList<TapPoint> TapPoints => read.TapPoints(values);

        public override IReadOnlyList<Tensor> Around(ForwardContext context, IReadOnlyList<Tensor> stream, Func<Tensor, Tensor> subBlock) =>
            [.. stream, subBlock(read.Forward(context.Tape, stream))];
    }

    /// <summary>What is read of the values: a query and a gain [C], which no two readers share.</summary>
    private sealed class DepthRead
    {
        private readonly string _name;
        private readonly Parameter _query;
        private readonly Parameter _gain;
        private readonly double _epsilon;

        public DepthRead(ModuleBuilder builder, string name)
        {
            (_name, _epsilon) = (name, builder.Model.NormEpsilon);
            builder = builder.In(name);
            // One row that reads a value and gives one score.
            _query = builder.Add("query", Layout.Of(builder.Model.Width), ParameterRole.Vector, Initializer.Zero, GrowthKind.Output);
            _gain = builder.Add("norm.weight", Layout.Of(builder.Model.Width), ParameterRole.Vector, Initializer.One);
        }

        public IReadOnlyList<TapPoint> TapPoints(int values) => [new($"{_name}.hook_weights", $"B T {values}") { IsReadOnly = true }, new($"{_name}.hook_read", "B T C")];

        public Tensor Forward(Tape tape, IReadOnlyList<Tensor> values)
        {
            using Tape.Scope scope = tape.Enter(_name);
            (Tensor read, Tensor weights) = DepthAttentionOp.Record(tape, values, tape.Use(_query), tape.Use(_gain), _epsilon);
            Tap.ReadOnly(tape, "hook_weights", weights);
            return Tap.At(tape, "hook_read", read);
        }
    }
}
