using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>dx = scale · y ⊙ (dy − Σ dy ⊙ y) by rows.</summary>
internal static unsafe class SoftmaxBackward
{
    public static void Run(CpuContext context, in View y, in View dy, in View dx, double scale, bool accumulate)
    {
        var work = new Work { Context = context, Y = new ViewRows(y), DY = new ViewRows(dy), DX = new ViewRows(dx), Scale = scale, Accumulate = accumulate };
        work.Cut = new RowCut(work.Y.Count, 1, Math.Max(1, Map.ItemElements / work.Y.Length));
        context.Run(y.Type, work.Cut.Items, ref work, y.Count >= Map.SmallElements / 4);
    }

    private struct Work : ILaneWork
    {
        public CpuContext Context;
        public ViewRows Y;
        public ViewRows DY;
        public ViewRows DX;
        public RowCut Cut;
        public double Scale;
        public bool Accumulate;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(item, out long firstRow, out long rows, out _, out _);
            int length = Y.Length;
            bool dense = Y.Stride == 1 && DY.Stride == 1 && DX.Stride == 1;
            byte* scratch = dense ? null : (byte*)Context.Scratch(worker, 24L * length);
            for (long row = firstRow; row < firstRow + rows; row++)
            {
                void* y = Strides.Dense<V>(Y[row], Y.Stride, length, scratch);
                void* dy = Strides.Dense<V>(DY[row], DY.Stride, length, scratch + 8L * length);
                if (DX.Stride == 1)
                {
                    Row<V>(y, dy, DX[row], length, Accumulate);
                }
                else
                {
                    Row<V>(y, dy, scratch + 16L * length, length, false);
                    Strides.Move<V>(scratch + 16L * length, 1, DX[row], DX.Stride, length, Accumulate);
                }
            }
        }

        /// <summary>One row; dx may be y or dy.</summary>
        private readonly void Row<V>(void* y, void* dy, void* dx, int length, bool accumulate)
            where V : struct, ICpuLane<V>
        {
            V sum0 = V.Constant(0), sum1 = sum0;
            int i = 0;
            for (; i <= length - 2 * V.Width; i += 2 * V.Width)
            {
                sum0 = V.MultiplyAdd(V.Load(y, i), V.Load(dy, i), sum0);
                sum1 = V.MultiplyAdd(V.Load(y, i + V.Width), V.Load(dy, i + V.Width), sum1);
            }

            for (; i < length; i += V.Width)
            {
                int part = Math.Min(V.Width, length - i);
                sum0 = V.MultiplyAdd(V.LoadPart(y, i, part), V.LoadPart(dy, i, part), sum0);
            }

            V dot = V.Constant(V.Sum(sum0 + sum1)), scale = V.Constant(Scale);
            for (i = 0; i <= length - V.Width; i += V.Width)
            {
                V r = scale * V.Load(y, i) * (V.Load(dy, i) - dot);
                V.Store(dx, i, accumulate ? V.Load(dx, i) + r : r);
            }

            int rest = length - i;
            if (rest > 0)
            {
                V r = scale * V.LoadPart(y, i, rest) * (V.LoadPart(dy, i, rest) - dot);
                V.StorePart(dx, i, rest, accumulate ? V.LoadPart(dx, i, rest) + r : r);
            }
        }
    }
}
