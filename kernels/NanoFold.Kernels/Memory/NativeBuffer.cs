using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Memory;

/// <summary>Host memory outside the managed heap with one owner who disposes it: aligned to 64 bytes and zeroed, or a file (<see cref="Map"/>).</summary>
public sealed unsafe class NativeBuffer : DeviceBuffer
{
    public const int Alignment = 64;

    private readonly FileMapping? _mapping;

    // Where an allocation begins that has room for an aligned one; null for others.
    private readonly byte* _large;
    private byte* _pointer;

    /// <param name="bytes">How many.</param>
    /// <param name="isShared">Whether all threads read it: it is then spread over the memories of a machine that has several.</param>
    public NativeBuffer(long bytes, bool isShared = false)
        : base(bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (HugePages.Pay(bytes))
        {
            // The system's own zeroed pages, which cost nothing before they are touched: a cache for a long context takes what is in it.
            _large = (byte*)NativeMemory.AllocZeroed(checked((nuint)(bytes + HugePages.Bytes)));
            _pointer = (byte*)(((nint)_large + HugePages.Bytes - 1) & ~((nint)HugePages.Bytes - 1));
            HugePages.Advise(_pointer, bytes);
            if (isShared)
            {
                MemoryNodes.Spread(_pointer, bytes);
            }

            return;
        }

        _pointer = (byte*)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(bytes, Alignment)), Alignment);
        NativeMemory.Clear(_pointer, (nuint)Math.Max(bytes, Alignment));
    }

    // A share of the mapping is this one's.
    private NativeBuffer(byte* pointer, long bytes, FileMapping mapping)
        : base(bytes)
    {
        _pointer = pointer;
        _mapping = mapping;
    }

    public byte* Pointer => _pointer is not null
        ? _pointer
        : throw new ObjectDisposedException(nameof(NativeBuffer), "native buffer: used after it was disposed");

    public Span<T> Span<T>()
        where T : unmanaged
        => Span<T>(0, checked((int)(Bytes / sizeof(T))));

    /// <summary>
    /// A file as memory, its pages read where they are touched. What is written is seen through this buffer alone and never in the file, which must not become shorter as long as
    /// the buffer is in use.
    /// </summary>
    /// <exception cref="IOException">The file cannot be read, or is empty.</exception>
    public static NativeBuffer Map(string path)
    {
        FileMapping mapping = FileMapping.Open(path);
        return new NativeBuffer(mapping.Pointer, mapping.Bytes, mapping);
    }

    /// <summary>Some bytes of a file that is mapped, as a buffer with an owner of its own: the file stays mapped for as long as there is one of it.</summary>
    public NativeBuffer Part(long offset, long bytes)
    {
        if (_mapping is null || offset < 0 || bytes < 0 || offset > Bytes - bytes)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), $"native buffer: {bytes} bytes from {offset} on are no part of a mapped file of {Bytes}");
        }

        byte* pointer = Pointer + offset;
        _mapping.Share();
        return new NativeBuffer(pointer, bytes, _mapping);
    }

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
        if (pointer is null)
        {
            return;
        }

        if (_mapping is not null)
        {
            _mapping.Release();
        }
        else if (_large is not null)
        {
            NativeMemory.Free(_large);
        }
        else
        {
            NativeMemory.AlignedFree(pointer);
        }
    }
}
