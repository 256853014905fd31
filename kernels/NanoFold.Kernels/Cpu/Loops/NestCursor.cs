namespace NanoFold.Kernels.Cpu.Loops;

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
