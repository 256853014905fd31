using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>
/// Sums of columns that lie side by side. Rows are read in order, four at a time: their sum as a tree joins the compensated (Kahan) sum of each column,
/// which stays in the first cache.
/// </summary>
internal static unsafe class ColumnSums
{
    /// <summary>Columns of a work item.</summary>
    private const int TileColumns = 1024;

    /// <summary>Elements of a work item, roughly.</summary>
    private const int SegmentElements = 65536;

    /// <summary>Fewest rows of a work item.</summary>
    private const int LeastRows = 32;

    /// <summary>Where there are rows enough, they are cut into this many items at least.</summary>
    private const int Pieces = 8;

    public static void Run(CpuContext context, in View x, in View y, in Nest kept, in Nest reduced, bool accumulate)
    {
        var work = new Work { X = x.Address, Y = y.Address, Kept = kept, Reduced = reduced, Accumulate = accumulate };
        work.Tiles = (kept.Inner + TileColumns - 1) / TileColumns;
        work.Rows = reduced.Count;
        work.RowsPerSegment = Math.Max(LeastRows, Math.Min(SegmentElements / Math.Min(kept.Inner, TileColumns), work.Rows / Pieces));
        work.Segments = (work.Rows + work.RowsPerSegment - 1) / work.RowsPerSegment;
        if (work.Segments > 1)
        {
            // The scratch of worker 0 is everybody's here.
            work.Partial = (double*)context.Scratch(0, kept.Count * work.Segments * sizeof(double));
        }

        context.Run(x.Type, kept.Rows * work.Tiles * work.Segments, ref work, x.Count >= Map.SmallElements);
        if (work.Segments > 1)
        {
            Reductions.Combine(context, y, kept, work.Partial, work.Segments, accumulate);
        }
    }

    private struct Work : ILaneWork
    {
        public void* X;
        public void* Y;
        public Nest Kept;
        public Nest Reduced;
        public long Tiles;
        public long Rows;
        public long RowsPerSegment;
        public long Segments;
        public double* Partial;
        public bool Accumulate;

        [SkipLocalsInit]
        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            (long rest, long segment) = Math.DivRem(item, Segments);
            (long outer, long tile) = Math.DivRem(rest, Tiles);
            long column = tile * TileColumns;
            int columns = (int)Math.Min(TileColumns, Kept.Inner - column);
            long row = segment * RowsPerSegment, end = Math.Min(Rows, row + RowsPerSegment);
            byte* x = (byte*)X + (Kept.Offset(0, outer) + column) * V.Type.Size();
            double* sums = stackalloc double[TileColumns];
            double* lost = stackalloc double[TileColumns];
            int used = Math.Min(TileColumns, columns + V.Width);
            new Span<double>(sums, used).Clear();
            new Span<double>(lost, used).Clear();
            for (; row + 4 <= end; row += 4)
            {
                Add4<V>(Row<V>(x, row), Row<V>(x, row + 1), Row<V>(x, row + 2), Row<V>(x, row + 3), sums, lost, columns);
            }

            for (; row < end; row++)
            {
                Add1<V>(Row<V>(x, row), sums, lost, columns);
            }

            long output = outer * Kept.Inner + column;
            for (int j = 0; j < columns; j++)
            {
                double sum = V.Type == DType.Float64 ? sums[j] - lost[j] : (double)((float*)sums)[j] - ((float*)lost)[j];
                if (Partial is not null)
                {
                    Partial[segment * Kept.Count + output + j] = sum;
                }
                else
                {
                    Reductions.Write(Y, V.Type, Kept.ElementOffset(1, output + j), sum, Accumulate);
                }
            }
        }

        private readonly void* Row<V>(byte* x, long row)
            where V : struct, ICpuLane<V>
            => x + Reduced.ElementOffset(0, row) * V.Type.Size();

        private static void Add4<V>(void* x0, void* x1, void* x2, void* x3, void* sums, void* lost, nint n)
            where V : struct, ICpuLane<V>
        {
            nint i = 0;
            for (; i <= n - V.Width; i += V.Width)
            {
                V four = (V.Load(x0, i) + V.Load(x1, i)) + (V.Load(x2, i) + V.Load(x3, i));
                Join(four, sums, lost, i);
            }

            if (i < n)
            {
                int part = (int)(n - i);
                V four = (V.LoadPart(x0, i, part) + V.LoadPart(x1, i, part)) + (V.LoadPart(x2, i, part) + V.LoadPart(x3, i, part));
                Join(four, sums, lost, i);
            }
        }

        private static void Add1<V>(void* x, void* sums, void* lost, nint n)
            where V : struct, ICpuLane<V>
        {
            nint i = 0;
            for (; i <= n - V.Width; i += V.Width)
            {
                Join(V.Load(x, i), sums, lost, i);
            }

            if (i < n)
            {
                Join(V.LoadPart(x, i, (int)(n - i)), sums, lost, i);
            }
        }

        // The tile has room for a whole lane after the last column.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Join<V>(V value, void* sums, void* lost, nint i)
            where V : struct, ICpuLane<V>
        {
            V sum = V.Load(sums, i);
            value -= V.Load(lost, i);
            V next = sum + value;
            V.Store(lost, i, (next - sum) - value);
            V.Store(sums, i, next);
        }
    }
}
