using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Rows;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>
/// Walks the rows with a target in chunks, each laid out in scratch memory: their numbers, x, logits (unless these are kept elsewhere) and dX.
/// How many rows a chunk has depends on the shapes only.
/// </summary>
internal unsafe ref struct HeadChunk
{
    // A chunk's logits should stay near the caches, yet be tall enough that packing the weights costs little: about 64 MB at most.
    private const long LogitsPerChunk = 1 << 24;
    private const int LeastRows = 128;
    private const int MostRows = 512;
    private const int RowMultiple = 16;
    private const int Parts = 5;

    private readonly View _x;
    private readonly View _targets;
    private readonly View _numbers;
    private readonly View _xPart;
    private readonly View _logitPart;
    private readonly View _kept;
    private readonly View _dxPart;
    private readonly int _limit;
    private readonly int _width;
    private readonly int _vocab;
    private long _next;
    private int _before;
    private bool _contiguous;

    /// <param name="kept">[N, V] for the logits of all chunks, or none.</param>
    public HeadChunk(in View x, in View weight, in View targets, in View scratch, in View kept)
    {
        _kept = kept;
        _x = x;
        _targets = targets;
        _width = x.Layout[1];
        _vocab = weight.Layout[0];
        int size = x.Type.Size();
        _limit = RowsPerChunk(x.Layout[0], _width, _vocab, size, !kept.IsNone);
        long start = Align(scratch.Offset * scratch.Type.Size());
        _numbers = Take(scratch, DType.Int32, ref start, _limit, 1);
        _xPart = Take(scratch, x.Type, ref start, _limit, _width);
        _logitPart = kept.IsNone ? Take(scratch, x.Type, ref start, _limit, _vocab) : default;
        _dxPart = Take(scratch, x.Type, ref start, _limit, _width);
    }

    /// <summary>Rows of this chunk.</summary>
    public int Count { get; private set; }

    /// <summary>The number of each row in x.</summary>
    public readonly int* Rows => _numbers.Ints;

    public readonly View X
    {
        get
        {
            if (!_contiguous)
            {
                return Top(_xPart);
            }

            Layout layout = _x.Layout.Slice(0, Rows[0], Count, out long offset);
            return _x.With(layout, offset);
        }
    }

    public readonly View Logits
    {
        get
        {
            if (_kept.IsNone)
            {
                return Top(_logitPart);
            }

            Layout layout = _kept.Layout.Slice(0, _before, Count, out long offset);
            return _kept.With(layout, offset);
        }
    }

    public readonly View DX => Top(_dxPart);

    public static long ScratchBytes(long rows, int width, int vocab, bool keepsLogits)
    {
        long most = Math.Clamp(LogitsPerChunk / vocab / RowMultiple * RowMultiple, LeastRows, MostRows);
        most = Math.Min(most, (rows + RowMultiple - 1) / RowMultiple * RowMultiple);
        vocab = keepsLogits ? 0 : vocab;
        return Math.Max(most * RowBytes(width, vocab, sizeof(float)), RowBytes(width, vocab, sizeof(double))) + Parts * NativeBuffer.Alignment;
    }

    /// <summary>Goes to the next rows with a target and gathers their x; false after the last.</summary>
    public bool Next(CpuContext context)
    {
        int* targets = _targets.Ints, rows = Rows;
        long total = _targets.Count;
        int count = 0;
        for (; _next < total && count < _limit; _next++)
        {
            if (targets[_next] >= 0)
            {
                rows[count++] = (int)_next;
            }
        }

        _before += Count;
        Count = count;
        if (count == 0)
        {
            return false;
        }

        // Rows without a gap are read where they are.
        _contiguous = rows[count - 1] - rows[0] == count - 1;
        if (!_contiguous)
        {
            Move(context, _x, _xPart, gather: true, accumulate: false);
        }

        return true;
    }

    /// <summary>dX of this chunk into the rows it belongs to.</summary>
    public readonly void Scatter(CpuContext context, in View dX, bool accumulate) => Move(context, _dxPart, dX, gather: false, accumulate);

    private static int RowsPerChunk(long rows, int width, int vocab, int size, bool keepsLogits)
        => checked((int)((ScratchBytes(rows, width, vocab, keepsLogits) - Parts * NativeBuffer.Alignment) / RowBytes(width, keepsLogits ? 0 : vocab, size)));

    private static long RowBytes(int width, int vocab, int size) => sizeof(int) + (2L * width + vocab) * size;

    private static long Align(long bytes) => (bytes + NativeBuffer.Alignment - 1) / NativeBuffer.Alignment * NativeBuffer.Alignment;

    private static View Take(in View scratch, DType type, ref long start, int rows, int columns)
    {
        var view = new View(scratch.Buffer, start / type.Size(), Layout.Of(rows, columns), type);
        start = Align(start + view.Count * type.Size());
        return view;
    }

    private readonly View Top(in View part) => part.With(Layout.Of(Count, part.Layout[1]));

    private readonly void Move(CpuContext context, in View from, in View to, bool gather, bool accumulate)
    {
        var work = new RowMove
        {
            From = (byte*)from.Address,
            FromStride = from.Layout.Stride(0),
            To = (byte*)to.Address,
            ToStride = to.Layout.Stride(0),
            Numbers = Rows,
            Gather = gather,
            Accumulate = accumulate,
            Rows = Count,
            RowsPerItem = RowBlocks.RowsPerItem(_width),
            Width = _width,
        };
        context.Run(from.Type, RowBlocks.Items(Count, work.RowsPerItem), ref work);
    }
}
