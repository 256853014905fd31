using System.Numerics;
using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Stored;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// Dot products of four rows or more where there are 32 vector registers: eight rows of a meet three columns of b in 24 sums, so that b is read once for eight rows.
/// Each sum is in the order of <see cref="DotProducts{O, V, B}"/>, to the bit.
/// </summary>
internal static unsafe class ManyRows<O, V, T>
    where O : struct, IVectorOps<V>
    where V : struct
    where T : unmanaged, INumberBase<T>
{
    private const int Most = 8, Half = 4, Columns = 3;

    /// <summary>Bytes ahead of which b is asked for: with so many sums for each line of it, the processor looks too few lines ahead by itself.</summary>
    private const int Ahead = 1536;

    /// <summary>Vectors of so many bytes come with 32 registers.</summary>
    private const int WideBytes = 64;

    public static bool Fits(in Product product) => O.Bytes == WideBytes && product.Rows >= Half;

    /// <summary>The columns [column, end) of all rows.</summary>
    /// <param name="product">The product.</param>
    /// <param name="column">The first.</param>
    /// <param name="end">After the last.</param>
    /// <param name="scratch">Room for columns of weights that are widened.</param>
    public static void Run(in Product product, int column, int end, byte* scratch)
    {
        double* sums = stackalloc double[Most * (Columns + 1)];
        byte* rest = stackalloc byte[(Most + Columns) * WideBytes];
        // Columns far apart are long streams, which the memory delivers faster than short ones side by side.
        int apart = BlockPlan.Ceiling(end - column, Columns), last = end - 1 - column;
        for (int left = apart; left > 0; left--, column++, last--)
        {
            int columns = Math.Min(Columns, last / apart + 1);
            byte* b0 = product.B + column * product.BColumn;
            // Missing columns are the last one again.
            byte* b1 = b0 + Math.Min(1, columns - 1) * apart * product.BColumn, b2 = b0 + Math.Min(2, columns - 1) * apart * product.BColumn;
            if (product.IsStored)
            {
                b0 = StoredRows.Widened(product, b0, 0, scratch);
                b1 = StoredRows.Widened(product, b1, Math.Min(1, columns - 1), scratch);
                b2 = StoredRows.Widened(product, b2, Math.Min(2, columns - 1), scratch);
            }

            for (int row = 0; row < product.Rows;)
            {
                byte* a = product.A + row * product.ARow;
                int rows = product.Rows - row;
                if (rows >= Most)
                {
                    rows = Most;
                    Eight(new Places(a, product.ARow, b0, b1, b2, product.Depth, rest), sums);
                }
                else if (rows >= Half)
                {
                    rows = Half;
                    Four(new Places(a, product.ARow, b0, b1, b2, product.Depth, rest), sums);
                }
                else
                {
                    Few(a, product.ARow, rows, b0, b1, b2, product.Depth, sums);
                }

                for (int i = 0; i < rows; i++, row++)
                {
                    for (int j = 0; j < columns; j++)
                    {
                        int y = column + (j * apart);
                        Merging.Write(
                            product, (T*)(product.Y + row * product.YRow + y * product.YColumn), T.CreateTruncating(product.Alpha * sums[(j * Most) + i]), row, y);
                    }
                }
            }
        }
    }

    private static void Eight(Places at, double* sums)
    {
        V p0 = O.Zero, p1 = O.Zero, p2 = O.Zero, p3 = O.Zero, p4 = O.Zero, p5 = O.Zero, p6 = O.Zero, p7 = O.Zero;
        V q0 = O.Zero, q1 = O.Zero, q2 = O.Zero, q3 = O.Zero, q4 = O.Zero, q5 = O.Zero, q6 = O.Zero, q7 = O.Zero;
        V r0 = O.Zero, r1 = O.Zero, r2 = O.Zero, r3 = O.Zero, r4 = O.Zero, r5 = O.Zero, r6 = O.Zero, r7 = O.Zero;
        while (true)
        {
            byte* b0 = at.B0, b1 = at.B1, b2 = at.B2, low = at.A, high = at.A + 4 * at.ARow;
            nint row = at.ARow, three = 3 * row, end = at.Bytes;
            for (nint k = 0; k < end; k += O.Bytes, low += O.Bytes, high += O.Bytes)
            {
                Prefetch.Line(b0 + k + Ahead);
                Prefetch.Line(b1 + k + Ahead);
                Prefetch.Line(b2 + k + Ahead);
                V x = O.Load(b0 + k), y = O.Load(b1 + k), z = O.Load(b2 + k);
                Add(O.Load(low), x, y, z, ref p0, ref q0, ref r0);
                Add(O.Load(low + row), x, y, z, ref p1, ref q1, ref r1);
                Add(O.Load(low + 2 * row), x, y, z, ref p2, ref q2, ref r2);
                Add(O.Load(low + three), x, y, z, ref p3, ref q3, ref r3);
                Add(O.Load(high), x, y, z, ref p4, ref q4, ref r4);
                Add(O.Load(high + row), x, y, z, ref p5, ref q5, ref r5);
                Add(O.Load(high + 2 * row), x, y, z, ref p6, ref q6, ref r6);
                Add(O.Load(high + three), x, y, z, ref p7, ref q7, ref r7);
            }

            if (at.Rest == 0)
            {
                break;
            }

            at = at.OfRest(Most);
        }

        O.SumFour(p0, p1, p2, p3, sums);
        O.SumFour(p4, p5, p6, p7, sums + Half);
        O.SumFour(q0, q1, q2, q3, sums + Most);
        O.SumFour(q4, q5, q6, q7, sums + Most + Half);
        O.SumFour(r0, r1, r2, r3, sums + 2 * Most);
        O.SumFour(r4, r5, r6, r7, sums + 2 * Most + Half);
    }

    private static void Four(Places at, double* sums)
    {
        V p0 = O.Zero, p1 = O.Zero, p2 = O.Zero, p3 = O.Zero;
        V q0 = O.Zero, q1 = O.Zero, q2 = O.Zero, q3 = O.Zero;
        V r0 = O.Zero, r1 = O.Zero, r2 = O.Zero, r3 = O.Zero;
        while (true)
        {
            byte* b0 = at.B0, b1 = at.B1, b2 = at.B2, low = at.A;
            nint row = at.ARow, three = 3 * row, end = at.Bytes;
            for (nint k = 0; k < end; k += O.Bytes, low += O.Bytes)
            {
                Prefetch.Line(b0 + k + Ahead);
                Prefetch.Line(b1 + k + Ahead);
                Prefetch.Line(b2 + k + Ahead);
                V x = O.Load(b0 + k), y = O.Load(b1 + k), z = O.Load(b2 + k);
                Add(O.Load(low), x, y, z, ref p0, ref q0, ref r0);
                Add(O.Load(low + row), x, y, z, ref p1, ref q1, ref r1);
                Add(O.Load(low + 2 * row), x, y, z, ref p2, ref q2, ref r2);
                Add(O.Load(low + three), x, y, z, ref p3, ref q3, ref r3);
            }

            if (at.Rest == 0)
            {
                break;
            }

            at = at.OfRest(Half);
        }

        O.SumFour(p0, p1, p2, p3, sums);
        O.SumFour(q0, q1, q2, q3, sums + Most);
        O.SumFour(r0, r1, r2, r3, sums + 2 * Most);
    }

    // The rows that are left, at most three.
    private static void Few(byte* a, nint aRow, int rows, byte* b0, byte* b1, byte* b2, int depth, double* sums)
    {
        double* own = stackalloc double[3 * Half];
        var dots = new DotProducts<O, V, OwnLoads<O, V>> { B0 = b0, B1 = b1, B2 = b2, B3 = b2 };
        switch (rows)
        {
            case 1:
                dots.One(a, depth, own);
                break;
            case 2:
                dots.Two(a, aRow, depth, own);
                break;
            default:
                dots.Three(a, aRow, depth, own);
                break;
        }

        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                sums[(j * Most) + i] = own[(i * Half) + j];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(V a, V x, V y, V z, ref V p, ref V q, ref V r)
    {
        p = O.MultiplyAdd(a, x, p);
        q = O.MultiplyAdd(a, y, q);
        r = O.MultiplyAdd(a, z, r);
    }

    /// <summary>What a pass over k reads: whole vectors, and after them the rest of each row and column, copied and filled up with zeros.</summary>
    private readonly struct Places
    {
        public readonly byte* A, B0, B1, B2;
        public readonly nint ARow;

        /// <summary>Of the whole vectors of a row.</summary>
        public readonly nint Bytes;

        /// <summary>Elements after them.</summary>
        public readonly int Rest;

        private readonly byte* _memory;

        /// <param name="memory">Room for a vector of each row and column.</param>
        public Places(byte* a, nint aRow, byte* b0, byte* b1, byte* b2, int depth, byte* memory)
        {
            A = a;
            ARow = aRow;
            B0 = b0;
            B1 = b1;
            B2 = b2;
            _memory = memory;
            Rest = depth % (O.Bytes / O.ElementBytes);
            Bytes = (nint)(depth - Rest) * O.ElementBytes;
        }

        public Places OfRest(int rows)
        {
            byte* b = _memory + rows * O.Bytes;
            for (int i = 0; i < rows; i++)
            {
                O.Store(_memory + i * O.Bytes, O.LoadPart(A + i * ARow + Bytes, Rest));
            }

            O.Store(b, O.LoadPart(B0 + Bytes, Rest));
            O.Store(b + O.Bytes, O.LoadPart(B1 + Bytes, Rest));
            O.Store(b + 2 * O.Bytes, O.LoadPart(B2 + Bytes, Rest));
            return new Places(_memory, O.Bytes, b, b + O.Bytes, b + 2 * O.Bytes, O.Bytes / O.ElementBytes, _memory);
        }
    }
}
