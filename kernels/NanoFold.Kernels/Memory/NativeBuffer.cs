using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Memory;

/// <summary>Host memory outside the managed heap, aligned to 64 bytes, zeroed, with one owner who disposes it.</summary>
public sealed unsafe class NativeBuffer : DeviceBuffer
{
    public const int Alignment = 64;

    // Where an allocation begins that has room for an aligned one; null for others.
    private readonly byte* _large;
    private byte* _pointer;

    public NativeBuffer(long bytes)
        : base(bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (HugePages.Pay(bytes))
        {
            // The system's own zeroed pages, which cost nothing before they are touched: a cache for a long context takes what is in it.
            _large = (byte*)NativeMemory.AllocZeroed(checked((nuint)(bytes + HugePages.Bytes)));
            _pointer = (byte*)(((nint)_large + HugePages.Bytes - 1) & ~((nint)HugePages.Bytes - 1));
            HugePages.Advise(_pointer, bytes);
            return;
        }

        _pointer = (byte*)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(bytes, Alignment)), Alignment);
        NativeMemory.Clear(_pointer, (nuint)Math.Max(bytes, Alignment));
    }

    public byte* Pointer => _pointer is not null
        ? _pointer
        : throw new ObjectDisposedException(nameof(NativeBuffer), "native buffer: used after it was disposed");

    public Span<T> Span<T>()
        where T : unmanaged
        => Span<T>(0, checked((int)(Bytes / sizeof(T))));

    /// <summary>A range of the buffer; offset and count in elements.</summary>
    public Span<T> Span<T>(long offset, int count)
        where T : unmanaged
        => offset >= 0 && count >= 0 && (offset + count) * sizeof(T) <= Bytes
            ? new Span<T>((T*)Pointer + offset, count)
            : throw new ArgumentOutOfRangeException(nameof(offset), $"native buffer: [{offset}, {offset + count}) is outside its {Bytes} bytes");

    public override void Dispose()
    {
        byte* pointer = _pointer;
        _pointer = null;
        if (pointer is not null)
        {
            Free(pointer);
        }
    }

    private void Free(byte* pointer)
    {
        if (_large is not null)
        {
            NativeMemory.Free(_large);
        }
        else
        {
            NativeMemory.AlignedFree(pointer);
        }
    }
}
