using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Labels;

/// <summary>
/// How well a number tells two kinds apart: the area under the receiver operating characteristic, which is the chance that one of the second kind has a larger number than one of the first, ties
/// counted half (Mann and Whitney 1947); 0.5 is chance, 1 and 0 are perfect.
/// </summary>
/// <param name="Status">TooFewPoints where a kind is missing, NotFinite where a number is none.</param>
/// <param name="Value">The area.</param>
/// <param name="Error">Its standard error (Hanley and McNeil 1982).</param>
/// <param name="Paired">Share of pairs, the i-th of both kinds, of which the second has the larger number, ties counted half; null where they are not as many.</param>
public readonly record struct RocAuc(GeometryStatus Status, double? Value, double? Error, double? Paired)
{
    /// <summary>Compares the numbers of two kinds.</summary>
    public static RocAuc Of(ReadOnlySpan<double> first, ReadOnlySpan<double> second)
    {
        if (first.IsEmpty || second.IsEmpty)
        {
            return new RocAuc(GeometryStatus.TooFewPoints, null, null, null);
        }

        double sum = 0, paired = 0;
        for (int j = 0; j < second.Length; j++)
        {
            foreach (double one in first)
            {
                if (!double.IsFinite(one) || !double.IsFinite(second[j]))
                {
                    return new RocAuc(GeometryStatus.NotFinite, null, null, null);
                }

                sum += Larger(second[j], one);
            }

            paired += first.Length == second.Length ? Larger(second[j], first[j]) : 0;
        }

        double area = sum / first.Length / second.Length, squared = area * area;
        double q1 = area / (2 - area), q2 = 2 * squared / (1 + area);
        double variance = ((area * (1 - area)) + ((second.Length - 1) * (q1 - squared)) + ((first.Length - 1) * (q2 - squared))) / first.Length / second.Length;
        return new RocAuc(GeometryStatus.Ok, area, Math.Sqrt(Math.Max(0, variance)), first.Length == second.Length ? paired / first.Length : null);
    }

    private static double Larger(double a, double b) => a > b ? 1 : a == b ? 0.5 : 0;
}
