using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>Attention by its definition, in float64, one loop per index. Arrays are [B, T, H, D], contiguous.</summary>
internal sealed record AttentionReference(int Batch, int Time, int Heads, int KeyHeads, int Depth)
{
    public int ValueDepth { get; init; } = Depth;

    public int Keys { get; init; } = Time;

    public double Scale { get; init; } = 1 / Math.Sqrt(Depth);

    public VisibleKind Kind { get; init; } = VisibleKind.Causal;

    public int Window { get; init; }

    public int Sinks { get; init; }

    public int TopK { get; init; }

    /// <summary>Of each row.</summary>
    public int[]? Prefixes { get; init; }

    /// <summary>[B, Keys].</summary>
    public int[]? Documents { get; init; }

    /// <summary>Lists of key blocks by batch row, head and block of queries.</summary>
    public int[][]? Blocks { get; init; }

    public int QuerySize { get; init; } = 1;

    public int KeySize { get; init; } = 1;

    /// <summary>The key blocks listed for a query.</summary>
    public int[] Listed(int b, int h, int t) => Blocks![((b * Heads + h) * ((Time + QuerySize - 1) / QuerySize)) + t / QuerySize];

    public bool Visible(int b, int h, int t, int j)
    {
        int position = t + Keys - Time;
        bool isInOrder = Kind switch
        {
            VisibleKind.Full => true,
            VisibleKind.Causal => j <= position,
            _ => j <= position || j < Prefixes![b],
        };
        return isInOrder
            && (Window == 0 || Math.Abs(j - position) < Window || j < Sinks)
            && (Documents is null || Documents[b * Keys + position] == Documents[b * Keys + j])
            && (Blocks is null || Listed(b, h, t).Contains(j / KeySize));
    }

    /// <summary>Row of softmax weights, and its log-sum-exp.</summary>
    public double[] Weights(double[] q, double[] k, int b, int t, int h, out double logSumExp)
    {
        var scores = new double[Keys];
        for (int j = 0; j < Keys; j++)
        {
            double dot = 0;
            for (int d = 0; d < Depth; d++)
            {
                dot += q[((b * Time + t) * Heads + h) * Depth + d] * k[((b * Keys + j) * KeyHeads + Group(h)) * Depth + d];
            }

            scores[j] = Visible(b, h, t, j) ? dot * Scale : double.NegativeInfinity;
        }

        if (TopK > 0)
        {
            int[] kept = [.. Enumerable.Range(0, Keys).OrderByDescending(j => scores[j]).ThenBy(j => j).Take(TopK)];
            for (int j = 0; j < Keys; j++)
            {
                scores[j] = kept.Contains(j) ? scores[j] : double.NegativeInfinity;
            }
        }

        double max = scores.Max();
        if (double.IsNegativeInfinity(max))
        {
            logSumExp = max;
            return new double[Keys];
        }

        double sum = scores.Sum(s => Math.Exp(s - max));
        logSumExp = max + Math.Log(sum);
        return [.. scores.Select(s => Math.Exp(s - max) / sum)];
    }

    public double[] Forward(double[] q, double[] k, double[] v, out double[] logSumExp)
    {
        var y = new double[Batch * Time * Heads * ValueDepth];
        logSumExp = new double[Batch * Heads * Time];
        for (int b = 0; b < Batch; b++)
        {
            for (int t = 0; t < Time; t++)
            {
                for (int h = 0; h < Heads; h++)
                {
                    double[] weights = Weights(q, k, b, t, h, out logSumExp[(b * Heads + h) * Time + t]);
                    for (int d = 0; d < ValueDepth; d++)
                    {
                        for (int j = 0; j < Keys; j++)
                        {
                            y[((b * Time + t) * Heads + h) * ValueDepth + d] += weights[j] * v[((b * Keys + j) * KeyHeads + Group(h)) * ValueDepth + d];
                        }
                    }
                }
            }
        }

        return y;
    }

    /// <summary>Gradients of Σ dy ⊙ y.</summary>
    public (double[] DQ, double[] DK, double[] DV) Backward(double[] q, double[] k, double[] v, double[] dy)
    {
        var dq = new double[q.Length];
        var dk = new double[k.Length];
        var dv = new double[v.Length];
        for (int b = 0; b < Batch; b++)
        {
            for (int t = 0; t < Time; t++)
            {
                for (int h = 0; h < Heads; h++)
                {
                    double[] weights = Weights(q, k, b, t, h, out _);
                    int row = (b * Time + t) * Heads + h;
                    var dp = new double[Keys];
                    for (int j = 0; j < Keys; j++)
                    {
                        int key = (b * Keys + j) * KeyHeads + Group(h);
                        for (int d = 0; d < ValueDepth; d++)
                        {
                            dp[j] += dy[row * ValueDepth + d] * v[key * ValueDepth + d];
                            dv[key * ValueDepth + d] += weights[j] * dy[row * ValueDepth + d];
                        }
                    }

                    double mean = 0;
                    for (int j = 0; j < Keys; j++)
                    {
                        mean += weights[j] * dp[j];
                    }

                    for (int j = 0; j < Keys; j++)
                    {
                        int key = (b * Keys + j) * KeyHeads + Group(h);
                        double ds = weights[j] * (dp[j] - mean) * Scale;
                        for (int d = 0; d < Depth; d++)
                        {
                            dq[row * Depth + d] += ds * k[key * Depth + d];
                            dk[key * Depth + d] += ds * q[row * Depth + d];
                        }
                    }
                }
            }
        }

        return (dq, dk, dv);
    }

    private int Group(int head) => head / (Heads / KeyHeads);
}
