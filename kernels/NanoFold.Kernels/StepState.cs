namespace NanoFold.Kernels;

/// <summary>
/// What changes from one step to the next and is read by kernels: eight-byte slots in the device's memory, so that a recorded step can be replayed unchanged.
/// The host writes them between steps. A recording has a state, and calls that read or write slots are given it; recordings that belong together, as a
/// trainer's passes and its update, share one. A new one (<see cref="Backend.NewState"/>) stands at the only micro-batch of the first step, with one target:
/// <see cref="StepSlot.Step"/>, <see cref="StepSlot.MicroBatchCount"/>, <see cref="StepSlot.TargetCount"/> and <see cref="StepSlot.LossScale"/> are 1, all others 0.
/// </summary>
public abstract class StepState : IDisposable
{
    /// <summary>Slots of a state.</summary>
    public const int Capacity = 64;

    /// <summary>Terms beside the loss at most.</summary>
    public const int MostTerms = 16;

    private readonly List<string> _free = [];
    private readonly List<LossTerm> _terms = [];

    /// <summary>The terms beside the loss, in the order in which they were added.</summary>
    public IReadOnlyList<LossTerm> Terms => _terms;

    public abstract void Set(StepSlot slot, double value);

    public abstract void Set(StepSlot slot, long value);

    public abstract double GetDouble(StepSlot slot);

    public abstract long GetInteger(StepSlot slot);

    /// <summary>
    /// The free slot of a name: the one that has it, or else a new one. For factors that change from step to step without a new recording, as the weight of a
    /// term or a temperature; what it holds is not saved with a run, so whoever sets it does so from the number of the step.
    /// </summary>
    /// <param name="name">Of the slot.</param>
    /// <param name="initial">What a new one holds.</param>
    /// <exception cref="InvalidOperationException">All slots are taken.</exception>
    public StepSlot Add(string name, double initial = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        int index = _free.IndexOf(name);
        if (index < 0)
        {
            index = _free.Count;
            if ((int)StepSlot.Free + index == Capacity)
            {
                throw new InvalidOperationException($"step state: no room for '{name}'; it has {Capacity - (int)StepSlot.Free} free slots: {string.Join(", ", _free)}");
            }

            _free.Add(name);
            Set(StepSlot.Free + index, initial);
        }

        return StepSlot.Free + index;
    }

    /// <summary>
    /// The free slot in which kernels add up a term beside the loss: part of what gradients are of. A step is skipped where a term is not finite.
    /// </summary>
    /// <param name="key">The name of the slot, and the key under which the term is reported.</param>
    /// <exception cref="InvalidOperationException">There are too many terms.</exception>
    public StepSlot AddTerm(string key)
    {
        StepSlot slot = Add(key);
        if (!_terms.Exists(term => term.Slot == slot))
        {
            if (_terms.Count == MostTerms)
            {
                throw new InvalidOperationException($"step state: no room for the term '{key}'; it has {MostTerms}: {string.Join(", ", _terms.Select(term => term.Key))}");
            }

            _terms.Add(new LossTerm(key, slot));
            Set(StepSlot.TermMask, GetInteger(StepSlot.TermMask) | (1L << (int)slot));
        }

        return slot;
    }

    /// <summary>Sets the loss and all terms beside it to 0: the begin of a step.</summary>
    public void ClearLosses()
    {
        Set(StepSlot.Loss, 0.0);
        foreach (LossTerm term in _terms)
        {
            Set(term.Slot, 0.0);
        }
    }

    /// <summary>Adds to a slot from the host, which on a GPU waits for the device; nothing with <see cref="StepSlot.None"/>.</summary>
    public void Increase(StepSlot slot, double by)
    {
        if (slot != StepSlot.None)
        {
            Set(slot, GetDouble(slot) + by);
        }
    }

    public abstract void Dispose();

    /// <summary>Sets what is not 0 in a new state.</summary>
    protected void Start()
    {
        Set(StepSlot.Step, 1L);
        Set(StepSlot.MicroBatchCount, 1L);
        Set(StepSlot.TargetCount, 1L);
        Set(StepSlot.LossScale, 1.0);
    }
}

/// <summary>A term beside the loss.</summary>
/// <param name="Key">Under which it is reported, as <c>balanceLoss</c>.</param>
/// <param name="Slot">Where kernels add it up.</param>
public readonly record struct LossTerm(string Key, StepSlot Slot);
