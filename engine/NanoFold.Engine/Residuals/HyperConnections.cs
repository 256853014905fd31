using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Residuals;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Residuals;

/// <summary>
/// Hyper-connections (arXiv 2409.19606; doubly stochastic: arXiv 2512.24880): n streams x [B, T, n, C], x ← res x + post ⊗ f(pre · x). pre, post and res are made for
/// each token of all its streams: of z = φ · RMSNorm(x), pre = σ(α₀ z + b), post = 2 σ(α₁ z + b), res = α₂ z + b, doubly stochastic by exp and Sinkhorn's rounds, rows
/// first, then columns. The stream begins as n copies of the embedding and ends as their sum. At first α is 0, pre is 1/n and post is 1, so that every stream is
/// what plain addition would make of it.
/// </summary>
public sealed record HyperConnectionsConfig : ResidualConfig
{
    public static HyperConnectionsConfig Tiny => new() { Streams = 2, Sinkhorn = 3 };

    /// <summary>n, the streams.</summary>
    [Bounds(1, StreamGatesCall.MostStreams)]
    public int Streams { get; init; } = 4;

    /// <summary>
    /// Rounds of dividing rows, then columns, by their sums; 0 leaves the mixing of streams free. flash-linear-attention divides columns first: matrices
    /// differ by about 1e-6 after 20 rounds, and by 0.2 after one.
    /// </summary>
    [Bounds(0, 1000)]
    public int Sinkhorn { get; init; } = 20;

    /// <inheritdoc/>
    public override Residual Build(ModuleBuilder builder) => new HyperConnections(builder, this);
}

internal sealed class HyperConnections : Residual
{
    private readonly HyperConnectionsConfig _config;
    private readonly Table _sum;
    private readonly Table _shares;

    public HyperConnections(ModuleBuilder builder, HyperConnectionsConfig config)
    {
        _config = config;
        int n = config.Streams;
        _sum = builder.Table($"streams.{n}.sum", Layout.Of(1, n), () => Filled(n, 1));
        _shares = builder.Table($"streams.{n}.shares", Layout.Of(n, 1), () => Filled(n, 1.0 / n));
    }

    public override IReadOnlyList<TapPoint> StreamPoints(string place) => [new($"hook_streams_{place}", $"B T {_config.Streams} C"), .. base.StreamPoints(place)];

    public override Connection Connect(ModuleBuilder builder, string name) => new HyperConnection(builder, name, _config);

    public override IReadOnlyList<Tensor> Begin(ForwardContext context, Tensor embedding)
    {
        (int batch, int time, int width) = (embedding[0], embedding[1], embedding[2]);
        return [MixStreamsOp.Record(context.Tape, context.Tape.Use(_sum).Reshape(_config.Streams, 1), embedding.Reshape(batch, time, 1, width))];
    }

    public override IReadOnlyList<Tensor> At(ForwardContext context, string place, IReadOnlyList<Tensor> stream)
    {
        Tape tape = context.Tape;
        string name = $"hook_resid_{place}";
        Tensor x = Tap.At(tape, $"hook_streams_{place}", stream[0]);
        if (Tap.IsWanted(tape, name))
        {
            Tensor sum = End(context, [x]);
            if (Tap.IsEdited(tape, name))
            {
                sum = Tap.At(tape, name, sum);
                x = MixStreamsOp.Record(tape, tape.Use(_shares), sum.Reshape(x[0], x[1], 1, x[3]));
            }
            else
            {
                // Nothing uses the sum, so that no gradient comes back to it.
                Tap.ReadOnly(tape, name, sum);
            }
        }

        return [x];
    }

    public override Tensor End(ForwardContext context, IReadOnlyList<Tensor> stream)
    {
        Tensor x = stream[0];
        return MixStreamsOp.Record(context.Tape, context.Tape.Use(_sum), x).Reshape(x[0], x[1], x[3]);
    }

    private static double[] Filled(int count, double value)
    {
        var values = new double[count];
        Array.Fill(values, value);
        return values;
    }
}

internal sealed class HyperConnection : Connection
{
    // What a stream keeps of itself at first, before exp: with four streams 87 %. The more it is, the slower the rounds converge: 20 of them leave 0.0006 of an error here.
    private const double OwnLogit = 3;

    private readonly HyperConnectionsConfig _config;
    private readonly string _name;
    private readonly Linear _phi;
    private readonly Parameter _alpha;
    private readonly Parameter _bias;
    private readonly double _epsilon;

    public HyperConnection(ModuleBuilder builder, string name, HyperConnectionsConfig config)
    {
        (_config, _name, _epsilon) = (config, name, builder.Model.NormEpsilon);
        builder = builder.In(name);
        int n = config.Streams, inputs = n * builder.Model.Width;
        // Makes coefficients, as a router does: not for Muon.
        _phi = builder.Linear("phi", inputs, n * (n + 2), Initialization.Input(inputs), role: ParameterRole.Head);
        _alpha = builder.Add("alpha", Layout.Of(3), ParameterRole.Vector, Initialization.Gate, GrowthKind.None);
        _bias = builder.Add("bias", Layout.Of(n * (n + 2)), ParameterRole.Vector, Initializer.Values(
        [
            .. Enumerable.Repeat(n > 1 ? -PortableMath.Log(n - 1) : 0, n),
            .. Enumerable.Repeat(0.0, n),
            .. Enumerable.Range(0, n * n).Select(k => k / n != k % n ? 0 : config.Sinkhorn > 0 ? OwnLogit : 1),
        ]), GrowthKind.None);
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new($"{_name}.hook_pre", $"B T {_config.Streams}"),
        new($"{_name}.hook_read", "B T C"),
        new($"{_name}.hook_post", $"B T {_config.Streams}"),
        new($"{_name}.hook_res", $"B T {_config.Streams} {_config.Streams}"),
    ];

    public override IReadOnlyList<Tensor> Around(ForwardContext context, IReadOnlyList<Tensor> stream, Func<Tensor, Tensor> subBlock)
    {
        Tape tape = context.Tape;
        Tensor x = stream[0], read, post, res;
        (int batch, int time, int n, int width) = (x[0], x[1], x[2], x[3]);
        using (tape.Enter(_name))
        {
            Tensor y = _phi.Forward(tape, x.Reshape(batch, time, n * width));
            (Tensor pre, post, res) = StreamGatesOp.Record(tape, x, y, tape.Use(_alpha), tape.Use(_bias), _epsilon, _config.Sinkhorn);
            pre = Tap.At(tape, "hook_pre", pre);
            read = Tap.At(tape, "hook_read", MixStreamsOp.Record(tape, pre.Reshape(batch, time, 1, n), x).Reshape(batch, time, width));
            post = Tap.At(tape, "hook_post", post);
            res = Tap.At(tape, "hook_res", res);
        }

        Tensor made = subBlock(read);
        using (tape.Enter(_name))
        {
            return [MixStreamsOp.Record(tape, res, x, post, made)];
        }
    }
}
