using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Residuals;

/// <summary>x + f(x).</summary>
public sealed record AddConfig : ResidualConfig
{
    public static AddConfig Tiny => new();

    /// <inheritdoc/>
    public override bool CarriesOneVector => true;

    /// <inheritdoc/>
    public override Residual Build(ModuleBuilder builder) => new Add();
}

internal class Add : Residual
{
    public override Connection Connect(ModuleBuilder builder, string name) => new Sum();

    public override IReadOnlyList<Tensor> At(ForwardContext context, string place, IReadOnlyList<Tensor> stream) =>
        [Tap.At(context.Tape, $"hook_resid_{place}", stream[0])];

    public override Tensor End(ForwardContext context, IReadOnlyList<Tensor> stream) => stream[0];

    private sealed class Sum : Connection
    {
        public override IReadOnlyList<Tensor> Around(ForwardContext context, IReadOnlyList<Tensor> stream, Func<Tensor, Tensor> subBlock) =>
            [AddOp.RecordOntoLast(context.Tape, stream[0], subBlock(stream[0]))];
    }
}
