using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>RMSNorm with gain or LayerNorm with gain and bias, as the model's <see cref="ModelShape.Norm"/> says.</summary>
public sealed class Norm
{
    private readonly Parameter _gain;
    private readonly Parameter? _bias;
    private readonly double _epsilon;

    public Norm(ModuleBuilder builder, string name, int width, NormKind? kind = null)
    {
        _gain = builder.Add($"{name}.weight", Layout.Of(width), ParameterRole.Vector, Initializer.One);
        _bias = (kind ?? builder.Model.Norm) == NormKind.Layer
            ? builder.Add($"{name}.bias", Layout.Of(width), ParameterRole.Vector, Initializer.Zero)
            : null;
        _epsilon = builder.Model.NormEpsilon;
    }

    public Tensor Forward(Tape tape, Tensor x) => _bias is null
        ? RmsNormOp.Record(tape, x, tape.Use(_gain), _epsilon)
        : LayerNormOp.Record(tape, x, tape.Use(_gain), tape.Use(_bias), _epsilon);
}
