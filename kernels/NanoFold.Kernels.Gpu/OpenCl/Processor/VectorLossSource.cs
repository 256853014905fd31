namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>
/// Cross-entropy of logits and its gradient on a processor's vector units, a row after the other; a group is one thread, which has some rows. As the portable kernels:
/// log-sum-exp = largest + log Σ exp(x − largest), loss = log-sum-exp − x[target], dx = scale · (exp(x − log-sum-exp) − onehot), 0 for rows whose target is −1.
/// </summary>
internal static class VectorLossSource
{
    private const string Inside = """
        int16 inside(int j, int length)
        {
            const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            return lanes + j < length;
        }

        """;

    private const string Body = """
        struct operands
        {
            long x, d, targets, losses, sums, row, dRow;
            int count, rows, length, accumulate;
        };

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void cross_entropy(global const float* X, global const int* targets, global float* losses, global float* sums, struct operands w)
        {
            int row = get_group_id(0) * w.rows, last = min(row + w.rows, w.count);
            for (; row < last; row++)
            {
                global const float* x = X + w.x + row * w.row;
                int target = targets[w.targets + row], j;
                float loss = 0, sum = 0;
                if (target != -1)
                {
                    // Less than any logit but an infinite one, so that differences to it are numbers.
                    float16 most = -FLT_MAX, powers = 0;
                    for (j = 0; j + 16 <= w.length; j += 16)
                    {
                        float16 v = vload16(0, x + j);
                        most = select(most, v, v > most);
                    }

                    float peak = largest(most);
                    for (int i = j; i < w.length; i++)
                        peak = x[i] > peak ? x[i] : peak;
                    for (j = 0; j + 16 <= w.length; j += 16)
                        powers += power(vload16(0, x + j) - peak);
                    if (j < w.length)
                        powers += select((float16)(0), power(part(x, j, w.length) - peak), inside(j, w.length));
                    sum = peak + logarithm((float16)(total(powers))).s0;
                    // A target that is no class shows up as a loss that is no number.
                    loss = target >= 0 && target < w.length ? sum - x[target] : NAN;
                }

                losses[w.losses + row] = loss;
                sums[w.sums + row] = sum;
            }
        }

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void cross_entropy_backward(
            global const float* X, global const int* targets, global const float* sums, global const float* scale, global float* DX, struct operands w)
        {
            int row = get_group_id(0) * w.rows, last = min(row + w.rows, w.count);
            float factor = scale[0];
            for (; row < last; row++)
            {
                global const float* x = X + w.x + row * w.row;
                global float* dx = DX + w.d + row * w.dRow;
                int target = targets[w.targets + row];
                if (target == -1)
                {
                    if (!w.accumulate)
                        for (int j = 0; j < w.length; j += 16)
                        {
                            STORE((float16)(0), dx, j);
                        }

                    continue;
                }

                // dx may be x.
                float sum = sums[w.sums + row], own = 0;
                bool isClass = target >= 0 && target < w.length;
                if (isClass)
                {
                    own = (power((float16)(x[target] - sum)).s0 - 1) * factor;
                    if (w.accumulate) own += dx[target];
                }

                for (int j = 0; j < w.length; j += 16)
                {
                    float16 v = power(LOAD(x, j) - sum) * factor;
                    if (w.accumulate) v += LOAD(dx, j);
                    STORE(v, dx, j);
                }

                if (isClass)
                    dx[target] = own;
            }
        }

        """;

    public static string Text { get; } = VectorRows.Function("power", TextLane.Exp) + VectorRows.Function("logarithm", TextLane.Log) + VectorRows.Text("w.length", isWhole: false) + Inside + Body;
}
