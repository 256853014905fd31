namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>
/// RMSNorm and LayerNorm on a processor's vector units, a row after the other; a group is one thread, which has some rows. Formulas are those of the portable kernels:
/// y = (x − mean) · r ⊙ gain + bias; with w = dy ⊙ gain, dx = r · w − (x − mean) · r³ Σ w (x − mean) / divisor − r · mean(w), the last for LayerNorm only.
/// </summary>
internal static class VectorNormSource
{
    private const string Body = """
        struct operands
        {
            long x, y, gain, bias, statistics, partials;
            long x0, x1, x2, y0, y1, y2, d0, d1, d2, dy;
            int count, n1, n2, width, rows, hasGain, hasBias, hasDX, hasSums, accumulate;
            float divisor, epsilon;
        };

        // x - mean, 0 past the end.
        float16 centered(float16 x, float mean, int j, int width)
        {
            if (!CENTERED || WHOLE)
                return x - mean;
            const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            return select((float16)(0), x - mean, lanes + j < width);
        }

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void norm_forward(
            global const float* X, global const float* gain, global const float* bias, global float* Y, global float* statistics, struct operands w)
        {
            int first = get_group_id(0) * w.rows, end = min(first + w.rows, w.count);
            gain += w.gain;
            bias += w.bias;
            statistics += w.statistics;
            for (int row = first; row < end; row++)
            {
                long i2 = row % w.n2, i1 = row / w.n2 % w.n1, i0 = row / w.n2 / w.n1;
                global const float* x = X + w.x + i0 * w.x0 + i1 * w.x1 + i2 * w.x2;
                global float* y = Y + w.y + i0 * w.y0 + i1 * w.y1 + i2 * w.y2;
                float16 sum = 0;
                float mean = 0;
                if (CENTERED)
                {
                    for (int j = 0; j < w.width; j += 16)
                        sum += LOAD(x, j);
                    mean = total(sum) / w.width;
                    sum = 0;
                }

                for (int j = 0; j < w.width; j += 16)
                {
                    float16 v = centered(LOAD(x, j), mean, j, w.width);
                    sum = fma(v, v, sum);
                }

                float inverse = 1 / sqrt(total(sum) / w.divisor + w.epsilon);
                for (int j = 0; j < w.width; j += 16)
                {
                    float16 v = (LOAD(x, j) - mean) * inverse;
                    if (w.hasGain) v *= LOAD(gain, j);
                    if (w.hasBias) v += LOAD(bias, j);
                    STORE(v, y, j);
                }

                if (CENTERED)
                {
                    statistics[2 * row] = mean;
                    statistics[2 * row + 1] = inverse;
                }
                else
                    statistics[row] = inverse;
            }
        }

        // Rows at a time: what is read of them for their sums is still in a cache for the rest.
        #define BLOCK 4

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void norm_backward(
            global const float* X, global const float* gain, global const float* statistics, global const float* DY, global float* DX, global float* partials, struct operands w)
        {
            int first = get_group_id(0) * w.rows, end = min(first + w.rows, w.count);
            gain += w.gain;
            statistics += w.statistics;
            global float* into = partials + w.partials + 2L * w.width * get_group_id(0);
            for (int begin = first; begin < end; begin += BLOCK)
            {
                int rows = min(BLOCK, end - begin);
                global const float* x[BLOCK];
                global const float* dy[BLOCK];
                global float* dx[BLOCK];
                float mean[BLOCK], inverse[BLOCK], slope[BLOCK], offset[BLOCK];
                for (int r = 0; r < rows; r++)
                {
                    int row = begin + r;
                    long i2 = row % w.n2, i1 = row / w.n2 % w.n1, i0 = row / w.n2 / w.n1;
                    x[r] = X + w.x + i0 * w.x0 + i1 * w.x1 + i2 * w.x2;
                    dy[r] = DY + w.dy + i0 * w.d0 + i1 * w.d1 + i2 * w.d2;
                    dx[r] = DX + w.y + i0 * w.y0 + i1 * w.y1 + i2 * w.y2;
                    mean[r] = CENTERED ? statistics[2 * row] : 0;
                    inverse[r] = statistics[CENTERED ? 2 * row + 1 : row];
                    if (!w.hasDX)
                        continue;
                    float16 dots = 0, sums = 0;
                    for (int j = 0; j < w.width; j += 16)
                    {
                        float16 v = centered(LOAD(x[r], j), mean[r], j, w.width), d = LOAD(dy[r], j);
                        if (w.hasGain) d *= LOAD(gain, j);
                        dots = fma(d, v, dots);
                        sums += d;
                    }

                    slope[r] = -total(dots) / w.divisor * inverse[r] * inverse[r] * inverse[r];
                    offset[r] = CENTERED ? -total(sums) / w.width * inverse[r] : 0;
                }

                for (int j = 0; j < w.width; j += 16)
                {
                    float16 scale = 1, products = 0, sums = 0;
                    if (w.hasGain) scale = LOAD(gain, j);
                    for (int r = 0; r < rows; r++)
                    {
                        float16 v = centered(LOAD(x[r], j), mean[r], j, w.width), d = LOAD(dy[r], j);
                        products += d * v * inverse[r];
                        sums += d;
                        if (w.hasDX)
                        {
                            d = d * scale * inverse[r] + v * slope[r] + offset[r];
                            if (w.accumulate) d += LOAD(dx[r], j);
                            STORE(d, dx[r], j);
                        }
                    }

                    if (w.hasSums)
                    {
                        if (begin > first) products += LOAD(into, j);
                        STORE(products, into, j);
                        if (CENTERED)
                        {
                            if (begin > first) sums += LOAD((into + w.width), j);
                            STORE(sums, (into + w.width), j);
                        }
                    }
                }
            }
        }

        // The groups' sums of sixteen columns, in their order, and onto y.
        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void norm_sums(global const float* partials, global float* y, struct operands w)
        {
            int j = 16 * get_group_id(0);
            partials += w.partials;
            y += w.gain;
            float16 sum = 0;
            for (int i = 0; i < w.count; i++)
                sum += LOAD((partials + 2L * i * w.width), j);
            STORE(LOAD(y, j) + sum, y, j);
        }

        """;

    /// <param name="isWhole">Whether rows are multiples of sixteen floats.</param>
    /// <param name="isCentered">Whether the mean is subtracted: LayerNorm.</param>
    public static string Text(bool isWhole, bool isCentered) => $"#define CENTERED {(isCentered ? 1 : 0)}\n{VectorRows.Text("w.width", isWhole)}{Body}";
}
