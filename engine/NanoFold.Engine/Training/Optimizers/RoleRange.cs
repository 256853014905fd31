using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>Trained elements of a store, all of parameters of one role: what an update works on.</summary>
/// <param name="State">Of the training: what kernels read of the step.</param>
/// <param name="Store">Where they are.</param>
/// <param name="Role">What they are for.</param>
/// <param name="Elements">Which, padding between parameters included.</param>
/// <param name="Decay">Their weight decay: <c>train.weightDecay</c> where the role has any (<see cref="Decays"/>), over the factor of <see cref="Rate"/>.</param>
public readonly record struct RoleRange(StepState State, ParameterStore Store, ParameterRole Role, ElementRange Elements, double Decay)
{
    /// <summary>Where their learning rate is: <c>train.learningRate</c> by schedule, times the factor of <see cref="OptimizerConfig.RateFactor"/>.</summary>
    public StepSlot Rate { get; init; } = StepSlot.LearningRate;

    /// <summary>Values as a vector.</summary>
    public View Values => Store.Values(Elements);

    /// <summary>Gradients as a vector.</summary>
    public View Gradients => Store.Gradients(Elements);

    /// <summary>Hidden matrices, the head and routers decay; embeddings, gains and biases do not.</summary>
    public static bool Decays(ParameterRole role) => role is ParameterRole.Matrix or ParameterRole.Head;

    /// <summary>The same elements in a slot, as a vector.</summary>
    public View In(OptimizerSlot slot)
    {
        long before = slot.StartOf(Role) - Store.Range(Role).Start;
        return slot.View(new ElementRange(before + Elements.Start, before + Elements.End));
    }
}
