using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Labels;

/// <summary>
/// Whether a relation between words is a direction: the mean cosine between the offsets b − a of all pairs (a, b), and how often b is the nearest to a + (b′ − a′) of another pair (Mikolov et al.
/// 2013; Linzen 2016). Beside it stand the same pairs with their second words shuffled: what is left there is of the two sets of words, not of the relation.
/// </summary>
public sealed record RelationOffsets
{
    private const int Shufflings = 20;

    /// <summary>TooFewPoints with fewer than two pairs, ZeroVariance where an offset is 0, NotFinite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Mean cosine over pairs of offsets.</summary>
    public double? Consistency { get; init; }

    /// <summary>Mean of the same over shufflings.</summary>
    public double? ConsistencyByChance { get; init; }

    /// <summary>Share of analogies whose answer is nearest by cosine among all words but the three that were given.</summary>
    public double? Analogies { get; init; }

    /// <summary>Share whose answer is nearest to a alone, without the relation.</summary>
    public double? AnalogiesWithoutOffset { get; init; }

    /// <summary>Measures a relation.</summary>
    /// <param name="words">All words' vectors, <c>[V, D]</c>.</param>
    /// <param name="d">D.</param>
    /// <param name="pairs">Word numbers.</param>
    /// <param name="seed">Of the shuffling.</param>
    public static RelationOffsets Measure(ReadOnlySpan<float> words, int d, IReadOnlyList<(int A, int B)> pairs, ulong seed)
    {
        int count = pairs.Count;
        if (count < 2)
        {
            return new RelationOffsets { Status = GeometryStatus.TooFewPoints };
        }

        int[] second = [.. pairs.Select(pair => pair.B)];
        double consistency = MeanCosine(words, d, pairs, second), chance = 0;
        if (!double.IsFinite(consistency))
        {
            return new RelationOffsets { Status = RowGuard.AllFinite(words) ? GeometryStatus.ZeroVariance : GeometryStatus.NotFinite };
        }

        var random = new GaussianSource(seed);
        int used = 0;
        for (int round = 0; round < Shufflings; round++)
        {
            Derange(second, pairs, random);
            double mean = MeanCosine(words, d, pairs, second);
            (chance, used) = double.IsFinite(mean) ? (chance + mean, used + 1) : (chance, used);
        }

        (double with, double without) = Analogy(words, d, pairs);
        return new RelationOffsets
        {
            Status = GeometryStatus.Ok,
            Consistency = consistency,
            ConsistencyByChance = used > 0 ? chance / used : null,
            Analogies = with,
            AnalogiesWithoutOffset = without,
        };
    }

    // ‖Σ ô‖² = count + Σ over ordered pairs of the cosine.
    private static double MeanCosine(ReadOnlySpan<float> words, int d, IReadOnlyList<(int A, int B)> pairs, int[] second)
    {
        double[] sum = new double[d], a = new double[d], offset = new double[d];
        for (int i = 0; i < pairs.Count; i++)
        {
            TensorPrimitives.ConvertChecked(words.Slice(pairs[i].A * d, d), a.AsSpan());
            TensorPrimitives.ConvertChecked(words.Slice(second[i] * d, d), offset.AsSpan());
            TensorPrimitives.Subtract(offset, a, offset);
            TensorPrimitives.Divide(offset, TensorPrimitives.Norm<double>(offset), offset);
            TensorPrimitives.Add(sum, offset, sum);
        }

        return (TensorPrimitives.SumOfSquares<double>(sum) - pairs.Count) / ((double)pairs.Count * (pairs.Count - 1));
    }

    // No first word keeps its own second one, where that can be: of a random order those that did are turned round.
    private static void Derange(int[] second, IReadOnlyList<(int A, int B)> pairs, GaussianSource random)
    {
        random.Shuffle<int>(second);
        for (int i = 0; i < second.Length; i++)
        {
            if (second[i] == pairs[i].B)
            {
                int other = (i + 1) % second.Length;
                (second[i], second[other]) = (second[other], second[i]);
            }
        }
    }

    private static (double With, double Without) Analogy(ReadOnlySpan<float> words, int d, IReadOnlyList<(int A, int B)> pairs)
    {
        int with = 0, without = 0, all = 0;
        float[] target = new float[d];
        for (int i = 0; i < pairs.Count; i++)
        {
            for (int j = 0; j < pairs.Count; j++)
            {
                (int a, int b) = pairs[j];
                if (i == j || pairs[i].A == a || pairs[i].B == b)
                {
                    continue;
                }

                TensorPrimitives.Subtract(words.Slice(b * d, d), words.Slice(a * d, d), target);
                TensorPrimitives.Add(target, words.Slice(pairs[i].A * d, d), target);
                all++;
                with += Nearest(words, d, target, a, b, pairs[i].A) == pairs[i].B ? 1 : 0;
                without += Nearest(words, d, words.Slice(pairs[i].A * d, d), a, b, pairs[i].A) == pairs[i].B ? 1 : 0;
            }
        }

        return all > 0 ? ((double)with / all, (double)without / all) : (double.NaN, double.NaN);
    }

    private static int Nearest(ReadOnlySpan<float> words, int d, ReadOnlySpan<float> target, int a, int b, int c)
    {
        int nearest = -1;
        float best = float.NegativeInfinity;
        for (int word = 0; word < words.Length / d; word++)
        {
            float cosine = word == a || word == b || word == c ? float.NegativeInfinity : TensorPrimitives.CosineSimilarity(words.Slice(word * d, d), target);
            (nearest, best) = cosine > best ? (word, cosine) : (nearest, best);
        }

        return nearest;
    }
}
