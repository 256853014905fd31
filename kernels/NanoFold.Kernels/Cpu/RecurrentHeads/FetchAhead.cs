using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// Rows of tensors that a chunk will soon read or write. The rows of a head lie apart, so the machine does not guess them; here their cache lines are asked
/// for a few at a time between the tiles of a product, which do not wait for memory. Nothing where the machine has no such hint.
/// </summary>
internal unsafe struct FetchAhead
{
    private const int MostBlocks = 12, LineBytes = 64;

    /// <summary>Multiplications of lanes for each line and row of a tile: the products of a chunk ask for all lines, and the time of one is not noticed.</summary>
    private const int WorkOfLine = 6;

    private fixed long _starts[MostBlocks];
    private fixed long _strides[MostBlocks];
    private fixed int _rows[MostBlocks];
    private fixed int _bytes[MostBlocks];
    private int _count;
    private int _block;
    private int _row;
    private int _line;

    /// <summary>Forgets what was not fetched.</summary>
    public void Clear() => _count = _block = _row = _line = 0;

    /// <summary>Rows of a tensor of places and heads, if there is one.</summary>
    public void Add<V>(in HeadRows tensor, int batch, int time, int head, int rows, int width)
        where V : struct, ICpuLane<V>
    {
        if (!tensor.IsNone)
        {
            Add<V>(tensor.Row<V>(batch, time, head), tensor.Time, rows, width);
        }
    }

    public void Add<V>(void* start, nint stride, int rows, int width)
        where V : struct, ICpuLane<V>
    {
        _starts[_count] = (nint)start;
        _strides[_count] = stride * Element.Size<V>();
        _rows[_count] = rows;
        _bytes[_count] = width * (int)Element.Size<V>();
        _count++;
    }

    /// <summary>Asks for the next few lines.</summary>
    /// <param name="work">Steps of a strip of tiles times its lanes.</param>
    public void Next(int work)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        for (int left = work / WorkOfLine; left > 0 && _block < _count; left--)
        {
            Sse.Prefetch1((byte*)_starts[_block] + (_row * _strides[_block]) + _line);
            _line += LineBytes;
            if (_line >= _bytes[_block])
            {
                _line = 0;
                if (++_row == _rows[_block])
                {
                    _row = 0;
                    _block++;
                }
            }
        }
    }
}
