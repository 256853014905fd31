using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>
/// Where the rows of a view lie: all dimensions but the last, those that follow each other in memory merged.
/// So a contiguous tensor has one dimension and the heads of a projection have two.
/// </summary>
internal unsafe struct RowSpace
{
    private fixed long _shape[Layout.MaxRank];
    private fixed long _strideBytes[Layout.MaxRank];
    private readonly int _rank;
    private readonly byte* _base;

    public RowSpace(in View view)
    {
        _base = (byte*)view.Address;
        int size = view.Type.Size();
        for (int axis = 0; axis < view.Layout.Rank - 1; axis++)
        {
            long length = view.Layout[axis], stride = view.Layout.Stride(axis) * size;
            if (length == 1)
            {
                continue;
            }

            if (_rank > 0 && _strideBytes[_rank - 1] == length * stride)
            {
                _shape[_rank - 1] *= length;
                _strideBytes[_rank - 1] = stride;
                continue;
            }

            _shape[_rank] = length;
            _strideBytes[_rank] = stride;
            _rank++;
        }

        if (_rank == 0)
        {
            _shape[0] = 1;
            _rank = 1;
        }
    }

    /// <summary>Rows that follow each other at one stride.</summary>
    public readonly long RunLength => _shape[_rank - 1];

    public readonly long RunStrideBytes => _strideBytes[_rank - 1];

    /// <summary>Address of row <paramref name="row"/> in row-major order.</summary>
    public readonly byte* Row(long row)
    {
        byte* address = _base;
        for (int axis = _rank - 1; axis > 0; axis--)
        {
            long next = row / _shape[axis];
            address += (row - next * _shape[axis]) * _strideBytes[axis];
            row = next;
        }

        return address + row * _strideBytes[0];
    }
}

/// <summary>Walks the rows of a <see cref="RowSpace"/> in order, dividing only where a run of equal strides ends.</summary>
internal unsafe ref struct RowCursor
{
    private readonly ref readonly RowSpace _space;
    private readonly long _strideBytes;
    private long _row;
    private long _left;

    public RowCursor(ref readonly RowSpace space, long row)
    {
        _space = ref space;
        _strideBytes = space.RunStrideBytes;
        Start(row);
    }

    /// <summary>The current row.</summary>
    public byte* Pointer { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next()
    {
        if (--_left > 0)
        {
            Pointer += _strideBytes;
        }
        else
        {
            Start(_row + _space.RunLength);
        }
    }

    /// <remarks>After the last row the address is not used.</remarks>
    private void Start(long row)
    {
        long within = row % _space.RunLength;
        _row = row - within;
        _left = _space.RunLength - within;
        Pointer = _space.Row(row);
    }
}
