using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>Distributions over tokens, as natural logarithms of probabilities in double precision.</summary>
public static class TokenDistributions
{
    /// <summary>ln softmax(x) = x − ln Σ exp x.</summary>
    /// <param name="logits">x, <c>[V]</c>, finite.</param>
    /// <param name="logs">Where it goes, <c>[V]</c>.</param>
    public static void LogSoftmax(ReadOnlySpan<float> logits, Span<double> logs)
    {
        TensorPrimitives.ConvertChecked(logits, logs);
        TensorPrimitives.Subtract(logs, TensorPrimitives.Max<double>(logs), logs);
        var powers = new double[logs.Length];
        TensorPrimitives.Exp<double>(logs, powers);
        TensorPrimitives.Subtract(logs, Math.Log(TensorPrimitives.Sum<double>(powers)), logs);
    }

    /// <summary>KL(p‖q) = Σ p (ln p − ln q) in nats; 0 where both are the same, infinite where q is 0 and p is not.</summary>
    /// <param name="p">ln p, <c>[V]</c>.</param>
    /// <param name="q">ln q, <c>[V]</c>.</param>
    public static double Divergence(ReadOnlySpan<double> p, ReadOnlySpan<double> q)
    {
        double sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            double probability = Math.Exp(p[i]);
            sum += probability > 0 ? probability * (p[i] - q[i]) : 0;
        }

        // Rounding leaves a little below 0.
        return Math.Max(0, sum);
    }

    /// <summary>−Σ p ln p in nats.</summary>
    /// <param name="p">ln p, <c>[V]</c>.</param>
    public static double Entropy(ReadOnlySpan<double> p)
    {
        double sum = 0;
        foreach (double log in p)
        {
            double probability = Math.Exp(log);
            sum -= probability > 0 ? probability * log : 0;
        }

        return sum;
    }

    /// <summary>The k tokens of the largest probability, that first; of equal ones the smaller number.</summary>
    public static int[] Largest(ReadOnlySpan<double> p, int k)
    {
        var found = new List<int>(k + 1);
        for (int i = 0; i < p.Length; i++)
        {
            int at = found.Count;
            while (at > 0 && p[i] > p[found[at - 1]])
            {
                at--;
            }

            if (at < k)
            {
                found.Insert(at, i);
                if (found.Count > k)
                {
                    found.RemoveAt(k);
                }
            }
        }

        return [.. found];
    }
}
