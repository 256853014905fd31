using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Rows;

/// <summary>Multiplies element i (row-major, whatever the strides) by 0 or 1/(1 − rate) as <see cref="DropoutRandom"/> says.</summary>
internal static unsafe class Dropout
{
    private const int BlockElements = 256;

    public static void Run(CpuContext context, StepState state, in View x, in View y, double rate, int stream, bool accumulate)
    {
        var work = new Work
        {
            Nest = new Nest(y.Layout),
            X = x.Address,
            Y = y.Address,
            Key = DropoutRandom.Key((ulong)state.GetInteger(StepSlot.RandomKey), state.GetInteger(StepSlot.Step), state.GetInteger(StepSlot.MicroBatch), stream),
            Threshold = DropoutRandom.Threshold(rate),
            Factor = 1 / (1 - rate),
            Accumulate = accumulate,
        };
        work.Nest.Add(x.Layout, y.Layout);
        work.Nest.Collapse();
        work.Cut = new RowCut(work.Nest.Rows, work.Nest.Inner);
        context.Run(y.Type, work.Cut.Items, ref work, y.Count >= Map.SmallElements);
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
            double* factors = stackalloc double[BlockElements + PhiloxWords.Count];
            double* block = stackalloc double[BlockElements];
            long strideY = Nest.InnerStride(0), strideX = Nest.InnerStride(1);
            int size = V.Type.Size();
            var cursor = new NestCursor(Nest, firstRow);
            for (long row = firstRow; row < firstRow + rows; row++, cursor.Next(Nest))
            {
                byte* y = (byte*)Y + (cursor.Offset(0) + start * strideY) * size;
                byte* x = (byte*)X + (cursor.Offset(1) + start * strideX) * size;
                for (long i = 0; i < length; i += BlockElements)
                {
                    int n = (int)Math.Min(BlockElements, length - i);
                    long element = row * Nest.Inner + start + i;
                    int lead = (int)(element % PhiloxWords.Count);
                    Factors<V>(factors, element - lead, lead + n);
                    void* source = x + i * size;
                    if (strideX != 1)
                    {
                        Strides.Gather<V>(x, i, strideX, n, block);
                        source = block;
                    }

                    byte* factor = (byte*)factors + lead * size;
                    if (strideY == 1)
                    {
                        Multiply<V>(source, factor, y + i * size, n, Accumulate);
                    }
                    else
                    {
                        Multiply<V>(source, factor, block, n, false);
                        Strides.Move<V>(block, 1, y + i * strideY * size, strideY, n, Accumulate);
                    }
                }
            }
        }

        private static void Multiply<V>(void* x, void* factor, void* y, nint n, bool accumulate)
            where V : struct, ICpuLane<V>
        {
            nint i = 0;
            for (; i <= n - V.Width; i += V.Width)
            {
                V r = V.Load(x, i) * V.Load(factor, i);
                V.Store(y, i, accumulate ? V.Load(y, i) + r : r);
            }

            int part = (int)(n - i);
            if (part > 0)
            {
                V r = V.LoadPart(x, i, part) * V.LoadPart(factor, i, part);
                V.StorePart(y, i, part, accumulate ? V.LoadPart(y, i, part) + r : r);
            }
        }

        /// <summary>Factors of elements from <paramref name="element"/> on, a multiple of the words of a call, rounded up to one.</summary>
        [SkipLocalsInit]
        private readonly void Factors<V>(double* factors, long element, int n)
            where V : struct, ICpuLane<V>
        {
            uint* words = stackalloc uint[PhiloxWords.Count];
            for (int j = 0; j < n; j += PhiloxWords.Count)
            {
                PhiloxWords.Next(Key, (ulong)(element + j) / 4, words);
                if (V.Type == DType.Float64)
                {
                    for (int w = 0; w < PhiloxWords.Count; w++)
                    {
                        factors[j + w] = words[w] >= Threshold ? Factor : 0;
                    }
                }
                else
                {
                    for (int w = 0; w < PhiloxWords.Count; w += Vector256<uint>.Count)
                    {
                        Vector256<uint> keep = Vector256.GreaterThanOrEqual(Vector256.Load(words + w), Vector256.Create(Threshold));
                        (keep.AsSingle() & Vector256.Create((float)Factor)).Store((float*)factors + j + w);
                    }
                }
            }
        }
    }
}
