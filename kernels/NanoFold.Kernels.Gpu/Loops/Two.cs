namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>Two sums that are made at once.</summary>
internal struct Two
{
    public float First, Second;
}
