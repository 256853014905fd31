using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// One operation of the tape: forward beside backward. An op holds only what never changes between steps; what it works on
/// comes with the <see cref="OpCall"/>, resolved when the plan was made. Neither direction allocates managed memory.
/// </summary>
public abstract class Op
{
    public abstract string Name { get; }

    public abstract void Forward(Backend backend, OpCall call);

    /// <summary>
    /// <see cref="Forward"/> as a call made ready once, where the plan is bound to its memory, and done at every run; null where there is none. It does the same
    /// to the bit.
    /// </summary>
    public virtual PreparedCall? Prepare(Backend backend, OpCall call) => null;

    /// <summary>Whether <see cref="Forward"/> is one product, <see cref="ForwardProduct"/>: neighbors that do not need each other are then computed together.</summary>
    public virtual bool IsProduct => false;

    /// <summary>What <see cref="Forward"/> computes where it <see cref="IsProduct"/>.</summary>
    public virtual MatMulArgs ForwardProduct(OpCall call) => throw new InvalidOperationException($"{Name}: is no product");

    /// <summary>
    /// Whether both passes are one small piece of work each, that touches nothing but its operands: neighbors that do not need each other may then be done at
    /// the same time (<see cref="Backend.RunsTogether"/>).
    /// </summary>
    public virtual bool IsBranch => false;

    /// <summary>
    /// Adds to, or overwrites, each <see cref="OpCall.InputGradient"/> that is not none, from the <see cref="OpCall.OutputGradient"/>s
    /// (none where nothing flows back).
    /// </summary>
    public virtual void Backward(Backend backend, OpCall call) =>
        throw new InvalidOperationException($"{Name}: has no gradient");

    /// <summary>Whether a gradient flows to this input.</summary>
    public virtual bool IsDifferentiable(int input) => true;

    /// <summary>Whether <see cref="Backward"/> reads this input's value; if not, the plan may reuse its memory.</summary>
    public virtual bool BackwardReadsInput(int input) => true;

    /// <summary>The same where that depends on whose gradients are wanted: of a product, an operand is read for the gradient of the other, which may not be trained.</summary>
    /// <param name="input">Which one.</param>
    /// <param name="wants">Whether the gradient of an input is wanted.</param>
    public virtual bool BackwardReadsInput(int input, Func<int, bool> wants) => BackwardReadsInput(input);

    /// <summary>Whether <see cref="Backward"/> reads this output's value.</summary>
    public virtual bool BackwardReadsOutput(int output) => false;

    /// <summary>Whether <see cref="Backward"/> gives this input the gradient of output 0 as it is, by <see cref="OpCall.PassGradient"/>: both may then be one memory.</summary>
    public virtual bool PassesGradient(int input) => false;

    /// <summary>True where running forward twice would count something twice: such a node is never recomputed.</summary>
    public virtual bool HasSideEffects => false;

    /// <summary>True where a call waits for the device, as a reader does that copies a value to the host. A pass with such a call is not captured as one piece of work.</summary>
    public virtual bool ReadsBack => false;

    public virtual long ForwardScratchBytes(Node node) => 0;

    public virtual long BackwardScratchBytes(Node node) => 0;
}
