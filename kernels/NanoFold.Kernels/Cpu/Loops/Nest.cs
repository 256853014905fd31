namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>
/// A loop nest over the shape of one view, with the strides of up to five operands. Dimensions that all operands walk through
/// alike are merged, so that a contiguous tensor of any rank is one long row.
/// </summary>
internal unsafe struct Nest
{
    public const int MaxOperands = 5;

    private const int Max = Layout.MaxRank;

    private fixed long _shape[Max];
    private fixed long _strides[MaxOperands * Max];
    private int _operands;

    /// <summary>A nest over <paramref name="shape"/> with its strides as operand 0.</summary>
    public Nest(in Layout shape)
    {
        Rank = shape.Rank;
        _operands = 1;
        for (int i = 0; i < shape.Rank; i++)
        {
            _shape[i] = shape[i];
            _strides[i] = shape.Stride(i);
        }
    }

    /// <summary>A nest of no dimensions yet, see <see cref="AddDimension"/>.</summary>
    public static Nest Empty(int operands) => new() { _operands = operands };

    public int Rank { get; private set; }

    public readonly int Operands => _operands;

    public readonly long Count => Rows * Inner;

    /// <summary>Length of the innermost loop.</summary>
    public readonly long Inner => Rank == 0 ? 1 : _shape[Rank - 1];

    /// <summary>How often the innermost loop runs.</summary>
    public readonly long Rows
    {
        get
        {
            long rows = 1;
            for (int i = 0; i < Rank - 1; i++)
            {
                rows *= _shape[i];
            }

            return rows;
        }
    }

    public readonly long Shape(int axis) => _shape[axis];

    public readonly long Stride(int operand, int axis) => _strides[operand * Max + axis];

    public readonly long InnerStride(int operand) => Rank == 0 ? 1 : Stride(operand, Rank - 1);

    /// <summary>Adds an operand, broadcast to the nest's shape.</summary>
    public void Add(in Layout layout, in Layout target)
    {
        Layout broadcast = layout.BroadcastTo(target);
        for (int i = 0; i < broadcast.Rank; i++)
        {
            _strides[_operands * Max + i] = broadcast.Stride(i);
        }

        _operands++;
    }

    /// <summary>Adds a dimension with the strides of the first two operands, kept in descending order of the first.</summary>
    public void AddDimension(long length, long stride, long secondStride)
    {
        int at = Rank++;
        for (; at > 0 && _strides[at - 1] < stride; at--)
        {
            _shape[at] = _shape[at - 1];
            Move(at - 1, at);
        }

        _shape[at] = length;
        _strides[at] = stride;
        if (_operands > 1)
        {
            _strides[Max + at] = secondStride;
        }
    }

    /// <summary>Drops dimensions of length 1 and merges neighbors.</summary>
    public void Collapse()
    {
        int rank = 0;
        for (int i = 0; i < Rank; i++)
        {
            if (_shape[i] == 1)
            {
                continue;
            }

            if (rank > 0 && Merges(rank - 1, i))
            {
                _shape[rank - 1] *= _shape[i];
                Move(i, rank - 1);
            }
            else
            {
                _shape[rank] = _shape[i];
                Move(i, rank);
                rank++;
            }
        }

        Rank = rank;
    }

    /// <summary>Offset in elements of the operand at the start of row <paramref name="row"/>.</summary>
    public readonly long Offset(int operand, long row)
    {
        long offset = 0;
        for (int i = Rank - 2; i >= 0; i--)
        {
            (row, long index) = Math.DivRem(row, _shape[i]);
            offset += index * _strides[operand * Max + i];
        }

        return offset;
    }

    /// <summary>Offset in elements of element <paramref name="index"/> of the whole nest.</summary>
    public readonly long ElementOffset(int operand, long index)
    {
        (long row, long column) = Math.DivRem(index, Inner);
        return Offset(operand, row) + column * InnerStride(operand);
    }

    private readonly bool Merges(int outer, int inner)
    {
        for (int o = 0; o < _operands; o++)
        {
            if (_strides[o * Max + outer] != _strides[o * Max + inner] * _shape[inner])
            {
                return false;
            }
        }

        return true;
    }

    private void Move(int from, int to)
    {
        for (int o = 0; o < _operands; o++)
        {
            _strides[o * Max + to] = _strides[o * Max + from];
        }
    }
}

/// <summary>Walks the rows of a <see cref="Nest"/> in order and keeps each operand's offset up to date.</summary>
internal unsafe struct NestCursor
{
    private fixed long _index[Layout.MaxRank];
    private fixed long _offsets[Nest.MaxOperands];

    /// <summary>Begins at row <paramref name="row"/>.</summary>
    public NestCursor(in Nest nest, long row)
    {
        for (int i = nest.Rank - 2; i >= 0; i--)
        {
            (row, _index[i]) = Math.DivRem(row, nest.Shape(i));
        }

        for (int operand = 0; operand < nest.Operands; operand++)
        {
            for (int i = 0; i < nest.Rank - 1; i++)
            {
                _offsets[operand] += _index[i] * nest.Stride(operand, i);
            }
        }
    }

    public readonly long Offset(int operand) => _offsets[operand];

    public void Next(in Nest nest)
    {
        for (int i = nest.Rank - 2; i >= 0; i--)
        {
            bool carry = ++_index[i] == nest.Shape(i);
            for (int operand = 0; operand < nest.Operands; operand++)
            {
                long stride = nest.Stride(operand, i);
                _offsets[operand] += carry ? stride - nest.Shape(i) * stride : stride;
            }

            if (!carry)
            {
                return;
            }

            _index[i] = 0;
        }
    }
}
