using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>
/// The norm of queries, or of keys, [B, T, H, D]: over each head with one gain [D] or with a gain for each head, [H · D], or over all heads together with a gain
/// [H · D], as model.qkNormOver says.
/// </summary>
public sealed class HeadNorm
{
    private readonly QkNormSpan _span;
    private readonly Norm _norm;
    private readonly Parameter? _gain;
    private readonly Parameter? _bias;
    private readonly string _name;
    private readonly bool _fromOne;

    private HeadNorm(ModuleBuilder builder, string name, int heads, int headDim)
    {
        ModelShape model = builder.Model;
        (_span, _name, _fromOne) = (model.QkNormOver, name, model.NormGainFromOne);
        bool hasBias = model.QkNormKind == NormKind.Layer && model.QkNormBias;
        if (_span == QkNormSpan.EachHead)
        {
            _norm = new Norm(model.QkNormKind, gain: null, bias: null, model.NormEpsilon);
            _gain = builder.Add($"{name}.weight", Layout.Of(heads * headDim), ParameterRole.Vector, Initialization.Gain(model.NormGainFromOne), GrowthKind.None);
            _bias = hasBias ? builder.Add($"{name}.bias", Layout.Of(heads * headDim), ParameterRole.Vector, Initializer.Zero, GrowthKind.None) : null;
        }
        else if (_span == QkNormSpan.Width)
        {
            _norm = builder.Norm(name, heads * headDim, model.QkNormKind, GrowthKind.Input, hasBias);
        }
        else
        {
            _norm = builder.Norm(name, headDim, model.QkNormKind, GrowthKind.None, hasBias);
        }
    }

    /// <summary>Its norm, with the parameters <c>NAME.weight</c> and, of a layer norm with one, <c>NAME.bias</c>; null where there is none of queries and keys.</summary>
    /// <param name="builder">Of the mixer.</param>
    /// <param name="name"><c>q_norm</c> or <c>k_norm</c>.</param>
    /// <param name="heads">H.</param>
    /// <param name="headDim">D.</param>
    /// <param name="isThere">Whether there is one; null for what the model says.</param>
    public static HeadNorm? Of(ModuleBuilder builder, string name, int heads, int headDim, bool? isThere) => isThere ?? builder.Model.QkNorm ? new HeadNorm(builder, name, heads, headDim) : null;

    /// <summary>Its points, named from the block.</summary>
    /// <param name="heads">H as a letter or a number.</param>
    /// <param name="width">H · D.</param>
    public IEnumerable<TapPoint> Points(string heads, int width) => Norm.Points($"attn.{_name}", _span == QkNormSpan.Width ? $"B T {width}" : $"B T {heads} D");

    /// <summary>x [B, T, H, D], normed.</summary>
    public Tensor Forward(Tape tape, Tensor x)
    {
        if (_span == QkNormSpan.Width)
        {
            return _norm.Forward(tape, BroadcastOp.Contiguous(tape, x).Reshape(x[0], x[1], x[2] * x[3]), _name).Reshape(x.Layout.ToShape());
        }

        return _norm.Forward(tape, x, _name, _gain is null ? null : OfEachHead);

        Tensor OfEachHead(Tensor y)
        {
            Tensor scaled = MultiplyOp.Record(tape, y, tape.Use(_gain!).Reshape(1, 1, x[2], x[3]));
            y = _fromOne ? AddOp.Record(tape, scaled, y) : scaled;
            return _bias is null ? y : AddOp.Record(tape, y, BroadcastOp.Record(tape, tape.Use(_bias).Reshape(1, 1, x[2], x[3]), x.Layout.ToShape()));
        }
    }
}
