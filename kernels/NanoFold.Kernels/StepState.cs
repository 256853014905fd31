namespace NanoFold.Kernels;

/// <summary>
/// Eight-byte slots, one per <see cref="StepSlot"/>, in the device's memory; kernels read them, the host writes them between steps. All start at 0
/// but <see cref="StepSlot.LossScale"/>, which starts at 1.
/// </summary>
public abstract class StepState
{
    /// <summary>The slots as a view of <see cref="StepSlot.Count"/> doubles.</summary>
    public abstract View View { get; }

    public abstract void Set(StepSlot slot, double value);

    public abstract void Set(StepSlot slot, long value);

    public abstract double GetDouble(StepSlot slot);

    public abstract long GetInteger(StepSlot slot);
}
