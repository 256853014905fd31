namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>
/// The shape of a pointwise call and the strides of up to five operands in it, dimensions merged where all operands allow it; outermost first.
/// Kernels find an operand's element from the position by <see cref="At"/>.
/// </summary>
internal struct Nest
{
    public int Rank;
    public int Count;
    public int N1, N2, N3, N4, N5;
    public Steps Y, A, B, C, Z;

    /// <summary>Elements between neighbors along each dimension.</summary>
    public struct Steps
    {
        public long S0, S1, S2, S3, S4, S5;
    }

    /// <summary>All operands are contiguous in the order of the positions: position and element are one.</summary>
    public readonly bool IsFlat => Rank == 1 && Y.S0 == 1 && Fits(A) && Fits(B) && Fits(C) && Fits(Z);

    /// <param name="y">The output, or what is iterated over.</param>
    /// <param name="operands">Up to four more, broadcast to it; A, B, C, Z in this order.</param>
    public static Nest Of(in Layout y, params ReadOnlySpan<Layout> operands)
    {
        Span<long> sizes = stackalloc long[Layout.MaxRank];
        Span<long> strides = stackalloc long[5 * Layout.MaxRank];
        int count = operands.Length + 1, rank = 0;
        Span<Layout> all = stackalloc Layout[5];
        all[0] = y;
        for (int i = 1; i < count; i++)
        {
            all[i] = operands[i - 1].BroadcastTo(y);
        }

        for (int axis = 0; axis < y.Rank; axis++)
        {
            if (y[axis] == 1)
            {
                continue;
            }

            bool merges = rank > 0;
            for (int i = 0; merges && i < count; i++)
            {
                merges = strides[(rank - 1) * 5 + i] == all[i].Stride(axis) * y[axis];
            }

            rank += merges ? 0 : 1;
            sizes[rank - 1] = (merges ? sizes[rank - 1] : 1) * y[axis];
            for (int i = 0; i < count; i++)
            {
                strides[(rank - 1) * 5 + i] = all[i].Stride(axis);
            }
        }

        if (rank == 0)
        {
            rank = 1;
            sizes[0] = 1;
            strides[..count].Fill(1);
        }

        Nest nest = default;
        nest.Rank = rank;
        nest.Count = checked((int)y.Count);
        // Lengths of all dimensions but the outermost.
        nest.N1 = Size(sizes, 1, rank);
        nest.N2 = Size(sizes, 2, rank);
        nest.N3 = Size(sizes, 3, rank);
        nest.N4 = Size(sizes, 4, rank);
        nest.N5 = Size(sizes, 5, rank);
        nest.Y = StepsOf(strides, 0, rank);
        nest.A = StepsOf(strides, 1, rank);
        nest.B = StepsOf(strides, 2, rank);
        nest.C = StepsOf(strides, 3, rank);
        nest.Z = StepsOf(strides, 4, rank);
        return nest;
    }

    /// <summary>Element of an operand at a position.</summary>
    /// <remarks>Nested, so that a shape of few dimensions branches around the others: ILGPU makes short blocks side by side unconditional, with all their divisions.</remarks>
    public static long At(in Nest shape, in Steps s, int position)
    {
        long element = 0;
        if (shape.Rank > 1)
        {
            if (shape.Rank > 2)
            {
                if (shape.Rank > 3)
                {
                    if (shape.Rank > 4)
                    {
                        if (shape.Rank > 5)
                        {
                            element += Inner(ref position, shape.N5) * s.S5;
                        }

                        element += Inner(ref position, shape.N4) * s.S4;
                    }

                    element += Inner(ref position, shape.N3) * s.S3;
                }

                element += Inner(ref position, shape.N2) * s.S2;
            }

            element += Inner(ref position, shape.N1) * s.S1;
        }

        return element + position * s.S0;
    }

    /// <summary>Position along the innermost dimension of <paramref name="length"/>; what is left is the one along those around it.</summary>
    private static int Inner(ref int position, int length)
    {
        int outer = position / length, inner = position - outer * length;
        position = outer;
        return inner;
    }

    private static bool Fits(in Steps s) => s.S0 is 0 or 1;

    private static int Size(Span<long> sizes, int axis, int rank) => axis < rank ? checked((int)sizes[axis]) : 1;

    private static Steps StepsOf(Span<long> strides, int operand, int rank) => new()
    {
        S0 = strides[operand],
        S1 = rank > 1 ? strides[5 + operand] : 0,
        S2 = rank > 2 ? strides[10 + operand] : 0,
        S3 = rank > 3 ? strides[15 + operand] : 0,
        S4 = rank > 4 ? strides[20 + operand] : 0,
        S5 = rank > 5 ? strides[25 + operand] : 0,
    };
}

/// <summary>Where rows of the last dimension begin.</summary>
internal static class RowNest
{
    /// <summary>Rows of y and of views of its shape (A, B); one that is none begins where y does.</summary>
    public static Nest Of(in View y, in View a, in View b = default)
    {
        Layout rows = Starts(y);
        return Nest.Of(rows, a.IsNone ? rows : Starts(a), b.IsNone ? rows : Starts(b));
    }

    private static Layout Starts(in View x) => x.Layout.Slice(-1, 0, 1, out _);
}
