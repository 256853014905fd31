using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu;

/// <summary>Softmax of rows, with the largest visible element taken off first; rows that see nothing become 0.</summary>
internal static unsafe class Softmax
{
    public static void Forward(CpuContext context, in View x, in View y, double scale, in AttentionMask mask)
    {
        int rank = x.Layout.Rank;
        var work = new ForwardWork
        {
            Context = context,
            X = new Rows(x),
            Y = new Rows(y),
            Scale = scale,
            Causal = mask.Causal,
            Window = mask.Window,
            Sinks = mask.Sinks,
            Documents = mask.Documents.Ints,
            Queries = rank > 1 ? x.Layout[-2] : 1,
            RowsPerBatch = rank > 2 ? x.Layout.Rows / x.Layout[0] : x.Layout.Rows,
        };
        work.Cut = new RowCut(work.X.Count, 1, Math.Max(1, Map.ItemElements / work.X.Length));
        context.Run(x.Type, work.Cut.Items, ref work, x.Count >= Map.SmallElements / 4);
    }

    public static void Backward(CpuContext context, in View y, in View dy, in View dx, double scale, bool accumulate)
    {
        var work = new BackwardWork { Context = context, Y = new Rows(y), DY = new Rows(dy), DX = new Rows(dx), Scale = scale, Accumulate = accumulate };
        work.Cut = new RowCut(work.Y.Count, 1, Math.Max(1, Map.ItemElements / work.Y.Length));
        context.Run(y.Type, work.Cut.Items, ref work, y.Count >= Map.SmallElements / 4);
    }

    /// <summary>A row with neighbours side by side: the row itself, or its copy in scratch.</summary>
    private static void* Dense<V>(void* row, long stride, int length, void* scratch)
        where V : struct, ICpuLane<V>
    {
        if (stride == 1)
        {
            return row;
        }

        Strides.Gather<V>(row, 0, stride, length, scratch);
        return scratch;
    }

    private struct ForwardWork : ILaneWork
    {
        public CpuContext Context;
        public Rows X;
        public Rows Y;
        public RowCut Cut;
        public double Scale;
        public bool Causal;
        public int Window;
        public int Sinks;
        public int* Documents;
        public int Queries;
        public long RowsPerBatch;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(item, out long firstRow, out long rows, out _, out _);
            byte* scratch = (byte*)Context.Scratch(worker, 8L * X.Length);
            for (long row = firstRow; row < firstRow + rows; row++)
            {
                void* x = Dense<V>(X[row], X.Stride, X.Length, scratch);
                Row<V>(row, x, scratch);
                Strides.Move<V>(scratch, 1, Y[row], Y.Stride, Y.Length, false);
            }
        }

        private readonly void Row<V>(long row, void* x, void* z)
            where V : struct, ICpuLane<V>
        {
            int length = X.Length;
            int end = Causal ? Math.Clamp((int)(row % Queries) - Queries + length + 1, 0, length) : length;
            V scale = V.Constant(Scale);
            int i = 0;
            for (; i <= end - V.Width; i += V.Width)
            {
                V.Store(z, i, V.Load(x, i) * scale);
            }

            V.StorePart(z, i, end - i, V.LoadPart(x, i, end - i) * scale);
            if (Causal)
            {
                Hide<V>(z, row, end);
            }

            double largest = Largest<V>(z, end);
            V sum = V.Constant(0), shift = V.Constant(largest);
            double total = 0;
            if (!double.IsNegativeInfinity(largest))
            {
                for (i = 0; i <= end - V.Width; i += V.Width)
                {
                    V e = V.Exp(V.Load(z, i) - shift);
                    V.Store(z, i, e);
                    sum += e;
                }

                total = V.Sum(sum);
                if (i < end)
                {
                    // What lies behind the end is not part of the sum.
                    V.StorePart(z, i, end - i, V.Exp(V.LoadPart(z, i, end - i) - shift));
                    total += V.Sum(V.LoadPart(z, i, end - i));
                }
            }

            V factor = V.Constant(total == 0 ? 0 : 1 / total);
            for (i = 0; i <= end - V.Width; i += V.Width)
            {
                V.Store(z, i, V.Load(z, i) * factor);
            }

            V.StorePart(z, i, end - i, V.LoadPart(z, i, end - i) * factor);
            if (total == 0)
            {
                end = 0;
            }

            new Span<byte>((byte*)z + (long)end * V.Type.Size(), (length - end) * V.Type.Size()).Clear();
        }

        /// <summary>Makes what the window or another document hides −∞.</summary>
        private readonly void Hide<V>(void* z, long row, int end)
            where V : struct, ICpuLane<V>
        {
            int begin = Window > 0 ? Math.Max(0, end - Window) : 0;
            for (int j = Math.Min(Sinks, begin); j < begin; j++)
            {
                Set<V>(z, j, double.NegativeInfinity);
            }

            if (Documents is null || end == 0)
            {
                return;
            }

            int* documents = Documents + row / RowsPerBatch * X.Length;
            int own = documents[end - 1];
            for (int j = 0; j < end; j++)
            {
                if (documents[j] != own)
                {
                    Set<V>(z, j, double.NegativeInfinity);
                }
            }
        }

        private static void Set<V>(void* z, int j, double value)
            where V : struct, ICpuLane<V>
            => V.StorePart(z, j, 1, V.Constant(value));

        private static double Largest<V>(void* z, int end)
            where V : struct, ICpuLane<V>
        {
            V largest = V.Constant(double.NegativeInfinity);
            int i = 0;
            for (; i <= end - V.Width; i += V.Width)
            {
                largest = V.Max(V.Load(z, i), largest);
            }

            double result = V.Largest(largest);
            for (; i < end; i++)
            {
                result = Math.Max(result, V.Sum(V.LoadPart(z, i, 1)));
            }

            return result;
        }
    }

    private struct BackwardWork : ILaneWork
    {
        public CpuContext Context;
        public Rows Y;
        public Rows DY;
        public Rows DX;
        public RowCut Cut;
        public double Scale;
        public bool Accumulate;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(item, out long firstRow, out long rows, out _, out _);
            int length = Y.Length;
            byte* scratch = (byte*)Context.Scratch(worker, 24L * length);
            for (long row = firstRow; row < firstRow + rows; row++)
            {
                void* y = Dense<V>(Y[row], Y.Stride, length, scratch);
                void* dy = Dense<V>(DY[row], DY.Stride, length, scratch + 8L * length);
                void* dx = scratch + 16L * length;
                V sum = V.Constant(0);
                int i = 0;
                for (; i <= length - V.Width; i += V.Width)
                {
                    sum = V.MultiplyAdd(V.Load(y, i), V.Load(dy, i), sum);
                }

                sum = V.MultiplyAdd(V.LoadPart(y, i, length - i), V.LoadPart(dy, i, length - i), sum);
                V dot = V.Constant(V.Sum(sum)), scale = V.Constant(Scale);
                for (i = 0; i <= length - V.Width; i += V.Width)
                {
                    V.Store(dx, i, scale * V.Load(y, i) * (V.Load(dy, i) - dot));
                }

                V.StorePart(dx, i, length - i, scale * V.LoadPart(y, i, length - i) * (V.LoadPart(dy, i, length - i) - dot));
                Strides.Move<V>(dx, 1, DX[row], DX.Stride, length, Accumulate);
            }
        }
    }
}
