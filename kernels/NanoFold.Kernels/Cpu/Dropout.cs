using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu;

/// <summary>
/// Element i (row-major, whatever the strides) is kept when word i mod 4 of Philox(key of the node, i / 4) is at least rate · 2³².
/// </summary>
internal static unsafe class Dropout
{
    private const int BlockElements = 256;

    public static void Run(CpuContext context, in View x, in View y, double rate, int node, bool accumulate)
    {
        StepState state = context.State;
        var work = new Work
        {
            Nest = new Nest(y.Layout),
            X = x.Address,
            Y = y.Address,
            Key = DropoutRandom.Key((ulong)state.GetInteger(StepSlot.RandomKey), state.GetInteger(StepSlot.Step), state.GetInteger(StepSlot.MicroBatch), node),
            Threshold = DropoutRandom.Threshold(rate),
            Factor = 1 / (1 - rate),
            Accumulate = accumulate,
        };
        work.Nest.Add(x.Layout, y.Layout);
        work.Nest.Collapse();
        work.Cut = new RowCut(work.Nest.Rows, work.Nest.Inner);
        context.Run(y.Type, work.Cut.Items, ref work, y.Count >= Map.SmallElements / 4);
    }

    private struct Work : ILaneWork
    {
        public Nest Nest;
        public RowCut Cut;
        public void* X;
        public void* Y;
        public ulong Key;
        public uint Threshold;
        public double Factor;
        public bool Accumulate;

        [SkipLocalsInit]
        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            Cut.Item(item, out long firstRow, out long rows, out long start, out long length);
            double* factors = stackalloc double[BlockElements];
            double* block = stackalloc double[BlockElements];
            long strideY = Nest.InnerStride(0), strideX = Nest.InnerStride(1);
            int size = V.Type.Size();
            for (long row = firstRow; row < firstRow + rows; row++)
            {
                byte* y = (byte*)Y + (Nest.Offset(0, row) + start * strideY) * size;
                byte* x = (byte*)X + (Nest.Offset(1, row) + start * strideX) * size;
                for (long i = 0; i < length; i += BlockElements)
                {
                    int n = (int)Math.Min(BlockElements, length - i);
                    Factors<V>(factors, row * Nest.Inner + start + i, n);
                    void* source = x + i * size;
                    if (strideX != 1)
                    {
                        Strides.Gather<V>(x, i, strideX, n, block);
                        source = block;
                    }

                    for (int j = 0; j < n; j += V.Width)
                    {
                        int part = Math.Min(V.Width, n - j);
                        V.StorePart(block, j, part, V.LoadPart(source, j, part) * V.LoadPart(factors, j, part));
                    }

                    Strides.Move<V>(block, 1, y + i * strideY * size, strideY, n, Accumulate);
                }
            }
        }

        private readonly void Factors<V>(double* factors, long element, int n)
            where V : struct, ICpuLane<V>
        {
            for (int j = 0; j < n;)
            {
                (uint w0, uint w1, uint w2, uint w3) = Philox.Next(Key, (ulong)(element + j) >> 2, 0);
                for (int word = (int)((element + j) & 3); word < 4 && j < n; word++, j++)
                {
                    uint random = word switch { 0 => w0, 1 => w1, 2 => w2, _ => w3 };
                    double factor = random >= Threshold ? Factor : 0;
                    if (V.Type == DType.Float64)
                    {
                        factors[j] = factor;
                    }
                    else
                    {
                        ((float*)factors)[j] = (float)factor;
                    }
                }
            }
        }
    }
}
