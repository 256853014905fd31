using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>Softmax of rows, with the largest visible element taken off first; rows that see nothing become 0.</summary>
internal static unsafe class Softmax
{
    public static void Run(CpuContext context, in View x, in View y, double scale, in Visible visible)
    {
        int rank = x.Layout.Rank;
        var work = new Work
        {
            Context = context,
            X = new ViewRows(x),
            Y = new ViewRows(y),
            Scale = scale,
            Seen = new VisibleRows(visible, x.Layout),
        };
        work.Cut = new RowCut(work.X.Count, 1, Math.Max(1, Map.ItemElements / work.X.Length));
        context.Run(x.Type, work.Cut.Items, ref work, x.Count >= Map.SmallElements / 4);
    }

    private struct Work : ILaneWork
    {
        public CpuContext Context;
        public ViewRows X;
        public ViewRows Y;
        public RowCut Cut;
        public double Scale;
        public VisibleRows Seen;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(item, out long firstRow, out long rows, out _, out _);
            byte* scratch = X.Stride == 1 && Y.Stride == 1 ? null : (byte*)Context.Scratch(worker, 8L * X.Length);
            for (long row = firstRow; row < firstRow + rows; row++)
            {
                void* x = Strides.Dense<V>(X[row], X.Stride, X.Length, scratch);
                if (Y.Stride == 1)
                {
                    Row<V>(row, x, Y[row]);
                }
                else
                {
                    Row<V>(row, x, scratch);
                    Strides.Move<V>(scratch, 1, Y[row], Y.Stride, Y.Length, false);
                }
            }
        }

        /// <summary>One row from x to y, which may be x.</summary>
        private readonly void Row<V>(long row, void* x, void* y)
            where V : struct, ICpuLane<V>
        {
            int length = X.Length;
            int end = Seen.End(row);
            double largest = ScaleAll<V>(x, y, end);
            if (Seen.HasGaps)
            {
                Seen.HideGaps<V>(y, row, end);
                largest = Largest<V>(y, end);
            }

            if (double.IsNegativeInfinity(largest))
            {
                end = 0;
            }

            double total = Exponentials<V>(y, end, V.Constant(largest));
            V factor = V.Constant(1 / total);
            int i = 0;
            for (; i <= end - V.Width; i += V.Width)
            {
                V.Store(y, i, V.Load(y, i) * factor);
            }

            if (i < end)
            {
                V.StorePart(y, i, end - i, V.LoadPart(y, i, end - i) * factor);
            }

            new Span<byte>((byte*)y + (long)end * V.Type.Size(), (length - end) * V.Type.Size()).Clear();
        }

        /// <summary>y = scale · x; the largest of them.</summary>
        private readonly double ScaleAll<V>(void* x, void* y, int end)
            where V : struct, ICpuLane<V>
        {
            V scale = V.Constant(Scale), largest = V.Constant(double.NegativeInfinity);
            int i = 0;
            for (; i <= end - V.Width; i += V.Width)
            {
                V z = V.Load(x, i) * scale;
                V.Store(y, i, z);
                // The second operand is the result where the first is not a number: those count for nothing here, and show up in the sum.
                largest = V.Max(z, largest);
            }

            if (i < end)
            {
                V.StorePart(y, i, end - i, V.LoadPart(x, i, end - i) * scale);
            }

            return Tail<V>(y, i, end, V.Largest(largest));
        }

        /// <summary>y = exp(y − shift); their sum.</summary>
        private static double Exponentials<V>(void* y, int end, V shift)
            where V : struct, ICpuLane<V>
        {
            V sum = V.Constant(0);
            int i = 0;
            for (; i <= end - V.Width; i += V.Width)
            {
                V e = V.Exp(V.Load(y, i) - shift);
                V.Store(y, i, e);
                sum += e;
            }

            if (i < end)
            {
                // Loaded again, so that what lies past the end is not part of the sum.
                V.StorePart(y, i, end - i, V.Exp(V.LoadPart(y, i, end - i) - shift));
                sum += V.LoadPart(y, i, end - i);
            }

            return V.Sum(sum);
        }

        private static double Largest<V>(void* z, int end)
            where V : struct, ICpuLane<V>
        {
            V largest = V.Constant(double.NegativeInfinity);
            int i = 0;
            for (; i <= end - V.Width; i += V.Width)
            {
                largest = V.Max(V.Load(z, i), largest);
            }

            return Tail<V>(z, i, end, V.Largest(largest));
        }

        private static double Tail<V>(void* z, int i, int end, double largest)
            where V : struct, ICpuLane<V>
        {
            for (; i < end; i++)
            {
                double value = V.Type == DType.Float64 ? ((double*)z)[i] : ((float*)z)[i];
                largest = value > largest ? value : largest;
            }

            return largest;
        }
    }
}
