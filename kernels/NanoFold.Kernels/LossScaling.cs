namespace NanoFold.Kernels;

/// <summary>
/// Dynamic loss scaling (arXiv 1710.03740): the loss's gradient is multiplied by <see cref="StepSlot.LossScale"/>, so that small gradients do not vanish in
/// half precision. A step that overflows is skipped and halves the scale; <see cref="StepsPerDoubling"/> good ones in a row double it.
/// </summary>
public static class LossScaling
{
    /// <summary>Where half precision starts.</summary>
    public const double Initial = 1 << 16;

    public const double Least = 1;

    public const double Most = 1 << 24;

    public const long StepsPerDoubling = 2000;
}
