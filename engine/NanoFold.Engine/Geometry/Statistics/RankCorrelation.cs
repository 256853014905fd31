using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>Spearman's rank correlation: Pearson's correlation of ranks, equal values sharing their mean rank.</summary>
public static class RankCorrelation
{
    /// <summary>In [−1, 1]; null below two pairs or where one side is constant or not finite.</summary>
    public static double? Spearman(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        if (x.Length != y.Length)
        {
            throw new ArgumentException($"rank correlation: {x.Length} and {y.Length} values are not pairs");
        }

        if (x.Length < 2 || !TensorPrimitives.IsFiniteAll(x) || !TensorPrimitives.IsFiniteAll(y))
        {
            return null;
        }

        // Ranks less their mean, (N − 1)/2.
        double[] a = Ranks(x), b = Ranks(y);
        TensorPrimitives.Subtract(a, (x.Length - 1) / 2.0, a);
        TensorPrimitives.Subtract(b, (x.Length - 1) / 2.0, b);
        double norm = TensorPrimitives.Norm<double>(a) * TensorPrimitives.Norm<double>(b);
        return norm > 0 ? TensorPrimitives.Dot<double>(a, b) / norm : null;
    }

    /// <summary>Ranks from 0; equal values have the mean of theirs.</summary>
    public static double[] Ranks(ReadOnlySpan<double> values)
    {
        double[] sorted = values.ToArray();
        var order = new int[values.Length];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        Array.Sort(sorted, order);
        var ranks = new double[values.Length];
        for (int first = 0, end; first < sorted.Length; first = end)
        {
            for (end = first + 1; end < sorted.Length && sorted[end] == sorted[first];)
            {
                end++;
            }

            foreach (int i in order.AsSpan(first, end - first))
            {
                ranks[i] = (first + end - 1) / 2.0;
            }
        }

        return ranks;
    }
}
