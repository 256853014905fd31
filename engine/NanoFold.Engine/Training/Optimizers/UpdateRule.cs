using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Training;

/// <summary>
/// What one optimizer does: from values, gradients and its slots to new values and slots, role by role. Where the step is skipped, for loss or gradients are not
/// finite, kernels find <see cref="Kernels.StepSlot.GradientScale"/> 0 and write nothing; otherwise gradients are multiplied by it first. An update allocates no managed memory.
/// </summary>
/// <param name="name">What profiles call it.</param>
public abstract class UpdateRule(string name) : IDisposable
{
    /// <summary>What profiles call its work on a role.</summary>
    public virtual string NameOf(ParameterRole role) => name;

    /// <summary>Before a step: sets what kernels read of it in slots of the state.</summary>
    /// <param name="step">From 1.</param>
    public virtual void Begin(long step)
    {
    }

    /// <summary>Updates all parameters of a role; piece by piece unless a rule looks at whole parameters.</summary>
    public virtual void UpdateRole(in RoleRange range)
    {
        foreach (ElementRange piece in range.Elements)
        {
            Update(range with { Elements = piece });
        }
    }

    /// <summary>
    /// Makes ready to update ranges at once, to the same bits, and their rounded copies with them; null where they are updated role by role. Asked once, with
    /// ranges that lie one after the other; it may be some of the last of them.
    /// </summary>
    internal virtual TogetherUpdate? Together(IReadOnlyList<RoleRange> ranges) => null;

    /// <summary>Whether it rounds the parameters of a role as it updates them, where they have a copy of 16 bits, so that nobody else has to.</summary>
    internal virtual bool Rounds(ParameterRole role) => false;

    /// <summary>Updates consecutive elements of a role.</summary>
    protected abstract void Update(in RoleRange piece);

    /// <summary>Gives back what it holds besides slots and scratch, which are the builder's.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
