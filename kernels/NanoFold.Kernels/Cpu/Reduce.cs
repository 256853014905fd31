using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu;

/// <summary>Sums over the dimensions in which the output has length 1.</summary>
internal static unsafe class Reduce
{
    public static void Sum(CpuContext context, in View x, in View y, bool accumulate)
    {
        Layout broadcast = y.Layout.BroadcastTo(x.Layout);
        var work = new Work { X = x.Address, Y = y.Address, Accumulate = accumulate };
        long outputs = 1;
        for (int i = 0; i < x.Layout.Rank; i++)
        {
            // A dimension of length 1 in both is kept or reduced alike.
            if (i >= x.Layout.Rank - y.Layout.Rank && y.Layout[i - x.Layout.Rank + y.Layout.Rank] == x.Layout[i])
            {
                work.KeptShape[work.Kept] = x.Layout[i];
                work.KeptX[work.Kept] = x.Layout.Stride(i);
                work.KeptY[work.Kept++] = broadcast.Stride(i);
                outputs *= x.Layout[i];
            }
            else
            {
                work.ReducedShape[work.Reduced] = x.Layout[i];
                work.ReducedX[work.Reduced++] = x.Layout.Stride(i);
            }
        }

        work.Length = x.Count / outputs;
        context.Run(x.Type, outputs, ref work, x.Count >= Map.SmallElements);
    }

    private struct Work : ILaneWork
    {
        public fixed long KeptShape[6];
        public fixed long KeptX[6];
        public fixed long KeptY[6];
        public fixed long ReducedShape[6];
        public fixed long ReducedX[6];
        public int Kept;
        public int Reduced;
        public long Length;
        public void* X;
        public void* Y;
        public bool Accumulate;

        public void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            long x = 0, y = 0;
            for (int i = Kept - 1; i >= 0; i--)
            {
                (item, long index) = Math.DivRem(item, KeptShape[i]);
                x += index * KeptX[i];
                y += index * KeptY[i];
            }

            double sum = 0;
            for (long l = 0; l < Length; l++)
            {
                long rest = l, offset = x;
                for (int i = Reduced - 1; i >= 0; i--)
                {
                    (rest, long index) = Math.DivRem(rest, ReducedShape[i]);
                    offset += index * ReducedX[i];
                }

                sum += V.Type == DType.Float64 ? ((double*)X)[offset] : ((float*)X)[offset];
            }

            if (V.Type == DType.Float64)
            {
                double* target = (double*)Y + y;
                *target = Accumulate ? *target + sum : sum;
            }
            else
            {
                float* target = (float*)Y + y;
                *target = Accumulate ? *target + (float)sum : (float)sum;
            }
        }
    }
}
