using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>RMSNorm with gain or LayerNorm with gain and bias; made by <see cref="ModuleBuilder.Norm"/>.</summary>
public sealed class Norm
{
    private readonly Parameter _gain;
    private readonly Parameter? _bias;
    private readonly double _epsilon;

    internal Norm(Parameter gain, Parameter? bias, double epsilon) => (_gain, _bias, _epsilon) = (gain, bias, epsilon);

    public Tensor Forward(Tape tape, Tensor x) => _bias is null
        ? RmsNormOp.Record(tape, x, tape.Use(_gain), _epsilon)
        : LayerNormOp.Record(tape, x, tape.Use(_gain), tape.Use(_bias), _epsilon);
}
