using System.Runtime.CompilerServices;
using NanoFold.Kernels.Memory;
using NanoFold.Kernels.Null;

namespace NanoFold.Kernels;

/// <summary>What a kernel sees of a tensor: a buffer, the offset of the first element in it (in elements), the layout and the type.</summary>
public readonly struct View(DeviceBuffer buffer, long offset, Layout layout, DType type)
{
    private static readonly DeviceBuffer s_noMemory = new NullBuffer(long.MaxValue);

    private readonly Layout _layout = layout;

    public DeviceBuffer Buffer { get; } = buffer;

    /// <summary>In elements, from the start of the buffer.</summary>
    public long Offset { get; } = offset;

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ref readonly Layout Layout => ref _layout;

    public DType Type { get; } = type;

    /// <summary>True for the view of a tensor that does not exist (an optional argument).</summary>
    public bool IsNone => Buffer is null;

    public long Count => _layout.Count;

    /// <summary>A view without memory, for questions that only its layout and type answer.</summary>
    public static View OfShape(in Layout layout, DType type) => new(s_noMemory, 0, layout, type);

    public View With(in Layout layout, long offset = 0) => new(Buffer, Offset + offset, layout, Type);

    /// <summary>The memory from this view's first element on as elements of another type; <paramref name="offset"/> counts those.</summary>
    public View As(DType type, in Layout layout, long offset = 0) => new(Buffer, Offset * Type.Size() / type.Size() + offset, layout, type);

    /// <summary>Address of the first element, for backends of the host's memory; null for <see cref="IsNone"/>.</summary>
    public unsafe void* Address
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Buffer is null ? null : ((NativeBuffer)Buffer).Pointer + Type.Bytes(Offset);
    }

    public unsafe float* Floats => (float*)Address;

    public unsafe int* Ints => (int*)Address;

    public override string ToString() => $"{Type}{_layout}";
}

/// <summary>A piece of a device's memory with one owner. Zeroed when allocated.</summary>
public abstract class DeviceBuffer(long bytes) : IDisposable
{
    public long Bytes { get; } = bytes;

    public abstract void Dispose();
}
