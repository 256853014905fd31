using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>RMSNorm or LayerNorm, with gain and bias where they are given; made by <see cref="ModuleBuilder.Norm"/>.</summary>
public sealed class Norm
{
    private readonly NormKind _kind;
    private readonly Parameter? _gain;
    private readonly Parameter? _bias;
    private readonly double _epsilon;
    private readonly bool _fromOne;

    internal Norm(NormKind kind, Parameter? gain, Parameter? bias, double epsilon, bool gainFromOne = false) => (_kind, _gain, _bias, _epsilon, _fromOne) = (kind, gain, bias, epsilon, gainFromOne);

    /// <summary>RMSNorm without a gain.</summary>
    public static Norm WithoutGain(double epsilon) => new(NormKind.Rms, gain: null, bias: null, epsilon);

    /// <summary>The points of a norm: what it divides by, and what it gives (with gain and bias).</summary>
    /// <param name="name">As in <c>ln1</c>.</param>
    /// <param name="shape">Of what it norms, as in <c>B T C</c>.</param>
    public static IEnumerable<TapPoint> Points(string name, string shape = "B T C") =>
        [new($"{name}.hook_scale", $"{shape[..shape.LastIndexOf(' ')]} 1") { IsReadOnly = true }, new($"{name}.hook_normalized", shape)];

    /// <summary>The normed x, with the points of <see cref="Points"/>.</summary>
    /// <param name="tape">Where it is recorded.</param>
    /// <param name="x">[.., width].</param>
    /// <param name="name">Of the points.</param>
    /// <param name="then">What becomes of it before it is shown, such as gains of its own; or null.</param>
    public Tensor Forward(Tape tape, Tensor x, string name, Func<Tensor, Tensor>? then = null)
    {
        string scale = $"{name}.hook_scale";
        if (!Tap.IsWanted(tape, scale))
        {
            Tensor normed = Forward(tape, x);
            return Tap.At(tape, $"{name}.hook_normalized", then?.Invoke(normed) ?? normed);
        }

        int[] shape = x.Layout.ToShape();
        shape[^1] = 1;
        (Tensor y, Tensor statistics) = _kind == NormKind.Rms
            ? RmsNormOp.RecordWithScale(tape, x, Use(tape, _gain), _epsilon, _fromOne)
            : LayerNormOp.RecordWithScale(tape, x, Use(tape, _gain), Use(tape, _bias), _epsilon, _fromOne);
        Tap.ReadOnly(tape, scale, NormScaleOp.Record(tape, statistics).Reshape(shape));
        return Tap.At(tape, $"{name}.hook_normalized", then?.Invoke(y) ?? y);
    }

    public Tensor Forward(Tape tape, Tensor x) => _kind == NormKind.Rms
        ? RmsNormOp.Record(tape, x, Use(tape, _gain), _epsilon, _fromOne)
        : LayerNormOp.Record(tape, x, Use(tape, _gain), Use(tape, _bias), _epsilon, _fromOne);

    private static Tensor Use(Tape tape, Parameter? parameter) => parameter is null ? default : tape.Use(parameter);
}
