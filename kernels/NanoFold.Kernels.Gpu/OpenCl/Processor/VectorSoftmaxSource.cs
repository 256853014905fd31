namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>
/// Softmax and its gradient on a processor's vector units, a row after the other; a group is one thread, which has some rows. As the portable kernels: y = exp(scale · (x − largest)) / Σ over
/// what a row sees, where rows that see nothing become 0, and what is not a number counts for nothing in the largest and shows up in the sum; dx = scale · y ⊙ (dy − Σ dy ⊙ y).
/// </summary>
internal static class VectorSoftmaxSource
{
    private const string Body = """
        struct operands
        {
            long x, y, d, x0, x1, x2, y0, y1, y2, d0, d1, d2;
            int count, n1, n2, length, rows, time, shift, prefix, window, sinks, accumulate;
            float scale, sign;
        };

        // Keys in [0, sinks) and [begin, end) are seen.
        int16 seen(int j, int sinks, int begin, int end)
        {
            const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            int16 key = lanes + j;
            return (key < sinks) | ((key >= begin) & (key < end));
        }

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void softmax(global const float* X, global float* Y, struct operands w)
        {
            int row = get_group_id(0) * w.rows, last = min(row + w.rows, w.count);
            for (; row < last; row++)
            {
                long i2 = row % w.n2, i1 = row / w.n2 % w.n1, i0 = row / w.n2 / w.n1;
                global const float* x = X + w.x + i0 * w.x0 + i1 * w.x1 + i2 * w.x2;
                global float* y = Y + w.y + i0 * w.y0 + i1 * w.y1 + i2 * w.y2;
                int t = row % w.time + w.shift, reach = max(t + 1, w.prefix);
                int sinks = clamp(min(w.sinks, reach), 0, w.length), begin = max(t - w.window + 1, sinks), end = clamp(min(reach, t + w.window), 0, w.length);
                int until = max(sinks, end), j;
                float16 most = -INFINITY, sum = 0;
                for (j = 0; j < until; j += 16)
                    if (j < sinks || j + 16 > begin)
                    {
                        float16 z = LOAD(x, j) * w.sign;
                        most = select(most, z, seen(j, sinks, begin, end) & (z > most));
                    }

                float peak = largest(most);
                until = peak == -INFINITY ? 0 : until;
                for (j = 0; j < until; j += 16)
                {
                    float16 p = 0;
                    if (j < sinks || j + 16 > begin)
                    {
                        p = select(p, power((LOAD(x, j) * w.sign - peak) * w.scale), seen(j, sinks, begin, end));
                        sum += p;
                    }

                    STORE(p, y, j);
                }

                float factor = 1 / total(sum);
                for (j = 0; j < until; j += 16)
                {
                    STORE(LOAD(y, j) * factor, y, j);
                }

                for (; j < w.length; j += 16)
                {
                    STORE((float16)(0), y, j);
                }
            }
        }

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void softmax_backward(global const float* Y, global const float* DY, global float* DX, struct operands w)
        {
            int row = get_group_id(0) * w.rows, last = min(row + w.rows, w.count);
            for (; row < last; row++)
            {
                long i2 = row % w.n2, i1 = row / w.n2 % w.n1, i0 = row / w.n2 / w.n1;
                global const float* y = Y + w.x + i0 * w.x0 + i1 * w.x1 + i2 * w.x2;
                global const float* dy = DY + w.d + i0 * w.d0 + i1 * w.d1 + i2 * w.d2;
                global float* dx = DX + w.y + i0 * w.y0 + i1 * w.y1 + i2 * w.y2;
                float16 dots = 0;
                for (int j = 0; j < w.length; j += 16)
                    dots = fma(LOAD(y, j), LOAD(dy, j), dots);
                float dot = total(dots);
                for (int j = 0; j < w.length; j += 16)
                {
                    float16 v = LOAD(y, j) * w.scale * (LOAD(dy, j) - dot);
                    if (w.accumulate) v += LOAD(dx, j);
                    STORE(v, dx, j);
                }
            }
        }

        """;

    public static string Text { get; } = VectorRows.Function("power", TextLane.Exp) + VectorRows.Text("w.length", isWhole: false) + Body;
}
