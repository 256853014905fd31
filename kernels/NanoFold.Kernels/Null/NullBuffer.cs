namespace NanoFold.Kernels.Null;

/// <summary>A length without memory behind it.</summary>
public sealed class NullBuffer : DeviceBuffer
{
    public NullBuffer(long bytes)
        : base(bytes)
        => ArgumentOutOfRangeException.ThrowIfNegative(bytes);

    public override void Dispose()
    {
    }
}
