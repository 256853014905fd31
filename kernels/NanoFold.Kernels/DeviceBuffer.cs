namespace NanoFold.Kernels;

/// <summary>A piece of a device's memory with one owner. Zeroed when allocated.</summary>
public abstract class DeviceBuffer(long bytes) : IDisposable
{
    public long Bytes { get; } = bytes;

    public abstract void Dispose();
}
