using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Decays of heads from steps of time: dt = softplus(a + dt_bias), held within bounds where there are some, log decay = −exp(A_log) · dt. It starts with rates exp(A_log) uniform up to 16 and steps
/// softplus(dt_bias) log-uniform in [0.001, 0.1].
/// </summary>
internal sealed class StepDecay
{
    private const double MostRate = 16, LeastStep = 1e-3, MostStep = 0.1;

    private readonly Parameter _rate;
    private readonly Parameter _bias;
    private readonly int _heads;
    private readonly double _least;
    private readonly double _most;

    /// <param name="builder">Where <c>A_log</c> and <c>dt_bias</c> [H] are declared.</param>
    /// <param name="heads">H.</param>
    /// <param name="leastRate">The lowest rate to start with.</param>
    /// <param name="least">The shortest step.</param>
    /// <param name="most">The longest step; 0 for any.</param>
    public StepDecay(ModuleBuilder builder, int heads, double leastRate, double least = 0, double most = 0)
    {
        (_heads, _least, _most) = (heads, least, most > 0 ? most : double.PositiveInfinity);
        _rate = builder.Add("A_log", Layout.Of(heads), ParameterRole.Vector, Initializer.LogOfUniform(leastRate, MostRate));
        _bias = builder.Add("dt_bias", Layout.Of(heads), ParameterRole.Vector, Initializer.StepOfLogUniform(LeastStep, MostStep));
    }

    /// <summary>Its points, for heads of that letter or number.</summary>
    public static IReadOnlyList<TapPoint> Points(string heads) => [new("attn.hook_step_pre", $"B T {heads}"), new("attn.hook_decay", $"B T {heads}")];

    /// <summary>The steps of a [B, T, H].</summary>
    public Tensor Step(Tape tape, Tensor a)
    {
        Tensor bias = BroadcastOp.Record(tape, tape.Use(_bias).Reshape(1, 1, _heads), a[0], a[1], _heads);
        Tensor step = ActivationOp<Softplus>.Record(tape, Tap.At(tape, "hook_step_pre", AddOp.Record(tape, a, bias)));
        return _least > 0 || double.IsFinite(_most) ? ClampOp.Record(tape, step, _least, _most) : step;
    }

    /// <summary>Logarithms of the decays over some steps [B, T, H].</summary>
    public Tensor Decay(Tape tape, Tensor step)
    {
        // A copy first: parameters stay in single precision where activations have 16 bits.
        Tensor rate = BroadcastOp.Record(tape, tape.Use(_rate).Reshape(1, 1, _heads), 1, 1, _heads);
        return Tap.At(tape, "hook_decay", MultiplyOp.Record(tape, step, ActivationOp<NegativeExp>.Record(tape, rate)));
    }
}
