using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>Consecutive elements of a store, all of parameters of one role: what an update works on.</summary>
/// <param name="Store">Where they are.</param>
/// <param name="Role">What they are for.</param>
/// <param name="Start">The first.</param>
/// <param name="Elements">How many, padding between parameters included.</param>
/// <param name="Decay">Their weight decay: <c>train.weightDecay</c> where the role has any (<see cref="Decays"/>).</param>
public readonly record struct RoleRange(ParameterStore Store, ParameterRole Role, long Start, long Elements, double Decay)
{
    /// <summary>Values as a vector.</summary>
    public View Values => Store.Slice(Start, Start + Elements).Values;

    /// <summary>Gradients as a vector.</summary>
    public View Gradients => Store.Slice(Start, Start + Elements).Gradients;

    /// <summary>Hidden matrices, the head and routers decay; embeddings, gains and biases do not.</summary>
    public static bool Decays(ParameterRole role) => role is ParameterRole.Matrix or ParameterRole.Head;

    /// <summary>Some of them.</summary>
    /// <param name="offset">From the first.</param>
    /// <param name="elements">How many.</param>
    public RoleRange Piece(long offset, long elements) => this with { Start = Start + offset, Elements = elements };

    /// <summary>The same elements in a slot, as a vector.</summary>
    public View In(OptimizerSlot slot) => slot.View(Role, Start - Store.Range(Role).Start, Elements);
}
