using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels;

/// <summary>
/// What an optimizer does with one element of the parameters, written once for every lane: from its value, its gradient and what is remembered of it to a new
/// value and new memories.
/// </summary>
public interface IUpdateFormula
{
    /// <summary>How many numbers are remembered of an element, 0 to 3.</summary>
    static abstract int Slots { get; }

    /// <summary>Gives the element with its new value and slots; what it holds as its gradient then does not matter.</summary>
    ElementUpdate<V> Invoke<V>(ElementUpdate<V> x, UpdateFactors<V> factors)
        where V : struct, ILane<V>;
}

/// <summary>An element of the parameters in an update.</summary>
public struct ElementUpdate<V>
    where V : struct, ILane<V>
{
    public V Parameter;

    /// <summary>With the step's clipping and without its loss scale.</summary>
    public V Gradient;

    /// <summary>The slots; those that the formula does not have are not read or written.</summary>
    public V First, Second, Third;
}

/// <summary>What is the same for all elements of an update.</summary>
public struct UpdateFactors<V>
    where V : struct, ILane<V>
{
    /// <summary>The learning rate.</summary>
    public V Rate;

    /// <summary>Weight decay, without the rate.</summary>
    public V Decay;

    /// <summary>What the slots of <see cref="UpdateArgs.FactorA"/> and <see cref="UpdateArgs.FactorB"/> hold; 1 without.</summary>
    public V A, B;
}

/// <summary>
/// Operands of <see cref="Backend.Update{TFormula}"/>: contiguous, of one real type and as many elements. Where <see cref="StepSlot.GradientScale"/> is 0 nothing
/// is written; gradients are multiplied by it.
/// </summary>
/// <param name="State">Of the training.</param>
/// <param name="Parameter">Values.</param>
/// <param name="Gradient">Gradients.</param>
/// <param name="First">The first slot, or none.</param>
/// <param name="Second">The second, or none.</param>
/// <param name="Third">The third, or none.</param>
public readonly record struct UpdateArgs(StepState State, View Parameter, View Gradient, View First = default, View Second = default, View Third = default)
{
    /// <summary>Weight decay.</summary>
    public double Decay { get; init; }

    /// <summary>Where the learning rate is.</summary>
    public StepSlot Rate { get; init; } = StepSlot.LearningRate;

    /// <summary>A factor that changes from step to step.</summary>
    public StepSlot FactorA { get; init; } = StepSlot.None;

    /// <summary>Another one.</summary>
    public StepSlot FactorB { get; init; } = StepSlot.None;
}
