using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>Brings elements that lie apart together, and spreads them again.</summary>
internal static unsafe class Strides
{
    /// <summary>block[j] = x[(i + j) · stride], j &lt; n.</summary>
    public static void Gather<V>(void* x, long i, long stride, int n, void* block)
        where V : struct, ICpuLane<V>
    {
        if (V.Type == DType.Float64)
        {
            double* source = (double*)x + i * stride;
            for (int j = 0; j < n; j++)
            {
                ((double*)block)[j] = source[j * stride];
            }
        }
        else
        {
            float* source = (float*)x + i * stride;
            for (int j = 0; j < n; j++)
            {
                ((float*)block)[j] = source[j * stride];
            }
        }
    }

    /// <summary>y[(i + j) · stride] = block[j], j &lt; n.</summary>
    public static void Scatter<V>(void* block, void* y, long i, long stride, int n)
        where V : struct, ICpuLane<V>
    {
        if (V.Type == DType.Float64)
        {
            double* target = (double*)y + i * stride;
            for (int j = 0; j < n; j++)
            {
                target[j * stride] = ((double*)block)[j];
            }
        }
        else
        {
            float* target = (float*)y + i * stride;
            for (int j = 0; j < n; j++)
            {
                target[j * stride] = ((float*)block)[j];
            }
        }
    }

    /// <summary>y[j · strideY] = x[j · strideX] for j &lt; n, or +=.</summary>
    public static void Move<V>(void* x, long strideX, void* y, long strideY, long n, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        if (strideX == 1 && strideY == 1)
        {
            if (accumulate)
            {
                nint i = 0, last = (nint)n - V.Width;
                for (; i <= last; i += V.Width)
                {
                    V.Store(y, i, V.Load(y, i) + V.Load(x, i));
                }

                int rest = (int)(n - i);
                V.StorePart(y, i, rest, V.LoadPart(y, i, rest) + V.LoadPart(x, i, rest));
            }
            else
            {
                long bytes = n * V.Type.Size();
                Buffer.MemoryCopy(x, y, bytes, bytes);
            }

            return;
        }

        for (long j = 0; j < n; j++)
        {
            if (V.Type == DType.Float64)
            {
                double value = ((double*)x)[j * strideX];
                double* target = (double*)y + j * strideY;
                *target = accumulate ? *target + value : value;
            }
            else
            {
                float value = ((float*)x)[j * strideX];
                float* target = (float*)y + j * strideY;
                *target = accumulate ? *target + value : value;
            }
        }
    }

    /// <summary>A row with neighbors side by side: the row itself, or its copy in scratch.</summary>
    public static void* Dense<V>(void* row, long stride, int length, void* scratch)
        where V : struct, ICpuLane<V>
    {
        if (stride == 1)
        {
            return row;
        }

        Gather<V>(row, 0, stride, length, scratch);
        return scratch;
    }
}
