using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Stored;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// Keys or values that are kept, [B, Capacity, G, D], contiguous: as elements of the lane, or in 16 bits (<see cref="Backend.CacheType"/>), rounded as they come and widened, a few
/// rows at a time, where they are met.
/// </summary>
internal readonly unsafe struct CacheRows(in View view)
{
    private const int LineBytes = 64;

    private readonly HeadRows _rows = new(view);
    private readonly byte* _start = (byte*)view.Address;
    private readonly long _batch = view.Layout.Stride(0), _time = view.Layout.Stride(1), _head = view.Layout.Stride(2);
    private readonly int _depth = view.Layout[3];
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
            // What is too large for half precision is kept as the largest that it can be told apart from: widening knows no infinity.
            _ = StoredValues.TryNarrow(_type, new ReadOnlySpan<float>(source, depth), new Span<byte>(Narrow(batch, slot, head), bytes));
            return;
        }

        nint size = depth * Element.Size<V>();
        Buffer.MemoryCopy(source, _rows.Row<V>(batch, slot, head), size, size);
    }

    /// <summary>The first elements of rows that follow each other.</summary>
    /// <param name="batch">Of the batch.</param>
    /// <param name="slot">The first.</param>
    /// <param name="head">Of keys or values.</param>
    /// <param name="count">Rows.</param>
    /// <param name="depth">Elements of each.</param>
    /// <param name="scratch">Room for so many floats; not used where they are met in their place.</param>
    /// <param name="ahead">Rows to ask the memory for ahead where they are widened; 0 for none.</param>
    /// <param name="row">Elements between two.</param>
    public void* Take<V>(int batch, int slot, int head, int count, int depth, void* scratch, int ahead, out nint row)
        where V : struct, ICpuLane<V>
    {
        if (!IsNarrow)
        {
            row = _rows.Time;
            return _rows.Row<V>(batch, slot, head);
        }

        byte* source = Narrow(batch, slot, head);
        nint apart = (nint)_type.Bytes(_time);
        for (int i = 0; i < count; i++, source += apart)
        {
            for (nint d = 0; ahead > 0 && d < _type.Bytes(depth); d += LineBytes)
            {
                Prefetch.Line(source + (ahead * apart) + d);
            }

            StoredRows.Widen(_type, source, 0, depth, (float*)scratch + ((long)i * depth));
        }

        row = depth;
        return scratch;
    }

    private byte* Narrow(int batch, int slot, int head) => _start + _type.Bytes((batch * _batch) + (slot * _time) + (head * _head));
}
