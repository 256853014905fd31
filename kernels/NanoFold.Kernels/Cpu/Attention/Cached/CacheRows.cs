using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Stored;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// Keys or values that are kept, [B, Capacity, G, D], contiguous: as elements of the lane, or in 16 bits (<see cref="Backend.CacheType"/>), rounded as they come and widened where
/// they are met: in registers, or a few rows at a time.
/// </summary>
internal readonly unsafe struct CacheRows(in View view)
{
    private readonly HeadRows _rows = new(view);
    private readonly byte* _start = (byte*)view.Address;
    private readonly long _batch = view.Layout.Stride(0), _time = view.Layout.Stride(1), _head = view.Layout.Stride(2);
    private readonly DType _type = view.Type;

    /// <summary>Whether rows are widened before they are met.</summary>
    public bool IsNarrow => _type.Is16Bit();

    /// <summary>The same as rows of elements of the lane, which they are.</summary>
    public HeadRows AsWide => IsNarrow ? throw new InvalidOperationException("cached rows: are of 16 bits") : _rows;

    /// <summary>Writes the first elements of a row.</summary>
    public void Write<V>(int batch, int slot, int head, void* source, int depth)
        where V : struct, ICpuLane<V>
    {
        if (IsNarrow)
        {
            int bytes = (int)_type.Bytes(depth);
            // What is too large for half precision becomes infinite there, which widening reads as 65,536.
            _ = StoredValues.TryNarrow(_type, new ReadOnlySpan<float>(source, depth), new Span<byte>(At(batch, slot, head), bytes));
            return;
        }

        nint size = depth * Element.Size<V>();
        Buffer.MemoryCopy(source, At(batch, slot, head), size, size);
    }

    /// <summary>Rows from one on, as they lie.</summary>
    public GroupRows Rows(int batch, int slot, int head) => new(At(batch, slot, head), (nint)_type.Bytes(_time), _type);

    /// <summary>The first elements of rows that follow each other, as elements of the lane.</summary>
    /// <param name="batch">Of the batch.</param>
    /// <param name="slot">The first.</param>
    /// <param name="head">Of keys or values.</param>
    /// <param name="count">Rows.</param>
    /// <param name="depth">Elements of each.</param>
    /// <param name="scratch">Room for so many floats; not used where they are met in their place.</param>
    /// <param name="row">Elements between two.</param>
    public void* Take<V>(int batch, int slot, int head, int count, int depth, void* scratch, out nint row)
        where V : struct, ICpuLane<V>
    {
        byte* source = At(batch, slot, head);
        if (!IsNarrow)
        {
            row = (nint)_time;
            return source;
        }

        for (int i = 0; i < count; i++, source += _type.Bytes(_time))
        {
            StoredRows.Widen(_type, source, 0, depth, (float*)scratch + ((long)i * depth));
        }

        row = depth;
        return scratch;
    }

    private byte* At(int batch, int slot, int head) => _start + _type.Bytes((batch * _batch) + (slot * _time) + (head * _head));
}
