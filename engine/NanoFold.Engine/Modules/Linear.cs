using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>y = x Wᵀ (+ b). W [out, in], as Hugging Face stores it.</summary>
public sealed class Linear
{
    private readonly Parameter _weight;
    private readonly Parameter? _bias;

    /// <param name="builder">Where the parameters are declared.</param>
    /// <param name="name">As in <c>q_proj</c>.</param>
    /// <param name="inputs">Columns of W.</param>
    /// <param name="outputs">Rows of W.</param>
    /// <param name="initializer">Of W; see <see cref="Initialization"/>.</param>
    /// <param name="bias">Whether there is a bias.</param>
    /// <param name="role">Decides the optimizer.</param>
    /// <param name="biasInitializer">Of a bias that does not start from 0.</param>
    public Linear(
        ModuleBuilder builder, string name, int inputs, int outputs, Initializer initializer, bool bias = false, ParameterRole role = ParameterRole.Matrix,
        Initializer? biasInitializer = null)
    {
        _weight = builder.Add($"{name}.weight", Layout.Of(outputs, inputs), role, initializer);
        _bias = bias ? builder.Add($"{name}.bias", Layout.Of(outputs), ParameterRole.Vector, biasInitializer ?? Initializer.Zero) : null;
    }

    /// <summary>W [out, in] itself.</summary>
    public Tensor Weight(Tape tape) => tape.Use(_weight);

    public Tensor Forward(Tape tape, Tensor x, Tensor residual = default) =>
        LinearOp.Record(tape, x, tape.Use(_weight), _bias is null ? default : tape.Use(_bias), residual);
}
