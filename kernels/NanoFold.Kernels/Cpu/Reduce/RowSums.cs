using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>Sums along rows. Four lanes are added as a tree, then to a compensated (Kahan) sum: an error of a few 2⁻²⁴ of Σ |x|, whatever the length.</summary>
internal static unsafe class RowSums
{
    /// <summary>Elements of one output that are summed in one go.</summary>
    private const int SegmentElements = 16384;

    private const int BlockElements = 256;

    public static void Run(CpuContext context, in View x, in View y, in Nest kept, in Nest reduced, bool accumulate)
    {
        var work = new Work { X = x.Address, Y = y.Address, Kept = kept, Reduced = reduced, Accumulate = accumulate };
        work.Cut = new RowCut(reduced.Rows, reduced.Inner, SegmentElements);
        work.Outputs = kept.Count;
        bool parallel = x.Count >= Map.SmallElements;
        long segments = work.Cut.Items;
        if (segments == 1)
        {
            work.OutputsPerItem = Math.Max(1, Map.ItemElements / reduced.Count);
            context.Run(x.Type, (work.Outputs + work.OutputsPerItem - 1) / work.OutputsPerItem, ref work, parallel);
            return;
        }

        work.OutputsPerItem = 1;
        // One item per segment; the scratch of worker 0 is everybody's here.
        work.Partial = (double*)context.Scratch(0, work.Outputs * segments * sizeof(double));
        context.Run(x.Type, work.Outputs * segments, ref work, parallel);
        Reductions.Combine(context, y, kept, work.Partial, segments, accumulate);
    }

    private struct Work : ILaneWork
    {
        public void* X;
        public void* Y;
        public Nest Kept;
        public Nest Reduced;
        public RowCut Cut;
        public long Outputs;
        public long OutputsPerItem;
        public double* Partial;
        public bool Accumulate;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            if (Partial is not null)
            {
                (long segment, long output) = Math.DivRem(item, Outputs);
                Partial[item] = Segment<V>(output, segment);
                return;
            }

            long end = Math.Min(Outputs, (item + 1) * OutputsPerItem);
            for (long output = item * OutputsPerItem; output < end; output++)
            {
                Reductions.Write(Y, V.Type, Kept.ElementOffset(1, output), Segment<V>(output, 0), Accumulate);
            }
        }

        private readonly double Segment<V>(long output, long segment)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(segment, out long firstRow, out long rows, out long start, out long length);
            long stride = Reduced.InnerStride(0);
            long x = Kept.ElementOffset(0, output) + start * stride;
            double sum = 0;
            for (long row = firstRow; row < firstRow + rows; row++)
            {
                void* source = (byte*)X + (x + Reduced.Offset(0, row)) * V.Type.Size();
                sum += stride == 1 ? Row<V>(source, (nint)length) : Strided<V>(source, stride, length);
            }

            return sum;
        }

        [SkipLocalsInit]
        private static double Strided<V>(void* x, long stride, long n)
            where V : struct, ICpuLane<V>
        {
            double* block = stackalloc double[BlockElements];
            double sum = 0;
            for (long i = 0; i < n; i += BlockElements)
            {
                int count = (int)Math.Min(BlockElements, n - i);
                Strides.Gather<V>(x, i, stride, count, block);
                sum += Row<V>(block, count);
            }

            return sum;
        }

        private static double Row<V>(void* x, nint n)
            where V : struct, ICpuLane<V>
        {
            V sum0 = V.Constant(0), sum1 = sum0, lost0 = sum0, lost1 = sum0, rest = sum0;
            nint i = 0;
            for (; i <= n - 8 * V.Width; i += 8 * V.Width)
            {
                V a = (V.Load(x, i) + V.Load(x, i + V.Width)) + (V.Load(x, i + 2 * V.Width) + V.Load(x, i + 3 * V.Width)) - lost0;
                V b = (V.Load(x, i + 4 * V.Width) + V.Load(x, i + 5 * V.Width)) + (V.Load(x, i + 6 * V.Width) + V.Load(x, i + 7 * V.Width)) - lost1;
                V next0 = sum0 + a, next1 = sum1 + b;
                lost0 = (next0 - sum0) - a;
                lost1 = (next1 - sum1) - b;
                sum0 = next0;
                sum1 = next1;
            }

            for (; i <= n - V.Width; i += V.Width)
            {
                rest += V.Load(x, i);
            }

            if (i < n)
            {
                rest += V.LoadPart(x, i, (int)(n - i));
            }

            double sum = V.Sum(rest);
            return n < 8 * V.Width ? sum : V.Sum(sum0) + V.Sum(sum1) + sum - V.Sum(lost0 + lost1);
        }
    }
}
