using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Labels;

/// <summary>
/// Whether classes can be read from rows by a linear map: accuracy on rows that were held back, of ridge regression to one-hot classes and of multinomial logistic regression, each also with
/// the classes of the training rows shuffled, which shows what a probe of this size finds where there is nothing (Hewitt and Liang 2019). Null when <see cref="Status"/> is not Ok.
/// </summary>
public sealed record LinearProbes
{
    private const int Rounds = 60;

    /// <summary>TooFewPoints with fewer than two classes to train on or nothing to test, NotFinite, ZeroVariance.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows trained on.</summary>
    public required int Trained { get; init; }

    /// <summary>Rows held back.</summary>
    public required int Tested { get; init; }

    /// <summary>C.</summary>
    public required int Classes { get; init; }

    /// <summary>Accuracy of ridge regression.</summary>
    public double? Ridge { get; init; }

    /// <summary>The same with shuffled classes.</summary>
    public double? RidgeShuffled { get; init; }

    /// <summary>Accuracy of logistic regression.</summary>
    public double? Logistic { get; init; }

    /// <summary>The same with shuffled classes.</summary>
    public double? LogisticShuffled { get; init; }

    /// <summary>Accuracy of the class that is most frequent among the rows trained on.</summary>
    public double? Majority { get; init; }

    /// <summary>Trains and tests.</summary>
    /// <param name="values"><c>[rows, D]</c>.</param>
    /// <param name="d">D.</param>
    /// <param name="sample">Which rows, of which classes.</param>
    /// <param name="groups">What each row of <paramref name="values"/> is of, such as its window: where there are at least eight, whole groups are held back, otherwise single rows.</param>
    /// <param name="seed">Decides the halves, and the shuffling.</param>
    /// <param name="penalty">λ, as a share of the mean variance of a coordinate.</param>
    public static LinearProbes Measure(ReadOnlySpan<float> values, int d, ClassSample sample, ReadOnlySpan<int> groups, ulong seed, double penalty = 0.01)
    {
        bool[] isHeldBack = HeldBack(sample, groups, seed);
        int[] train = [.. Enumerable.Range(0, isHeldBack.Length).Where(i => !isHeldBack[i])], test = [.. Enumerable.Range(0, isHeldBack.Length).Where(i => isHeldBack[i])];
        int[] known = [.. train.Select(i => sample.Classes[i])], asked = [.. test.Select(i => sample.Classes[i])];
        var none = new LinearProbes { Status = GeometryStatus.TooFewPoints, Trained = train.Length, Tested = test.Length, Classes = sample.Count };
        if (known.Distinct().Count() < 2 || test.Length == 0)
        {
            return none;
        }

        (GeometryStatus status, ProbeFeatures? features) = ProbeFeatures.Of(values, d, [.. train.Select(i => sample.Rows[i])], [.. test.Select(i => sample.Rows[i])], penalty);
        if (features is null)
        {
            return none with { Status = status };
        }

        int[] shuffled = [.. known];
        new GaussianSource(GaussianSource.Mix(seed, 2)).Shuffle<int>(shuffled);
        int frequent = known.GroupBy(one => one).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).First().Key;
        return none with
        {
            Status = GeometryStatus.Ok,
            Ridge = features.Accuracy(features.Ridge(known, sample.Count), asked),
            RidgeShuffled = features.Accuracy(features.Ridge(shuffled, sample.Count), asked),
            Logistic = features.Accuracy(features.Logistic(known, sample.Count, penalty, Rounds), asked),
            LogisticShuffled = features.Accuracy(features.Logistic(shuffled, sample.Count, penalty, Rounds), asked),
            Majority = (double)asked.Count(one => one == frequent) / asked.Length,
        };
    }

    // Half of the groups, or of the rows.
    private static bool[] HeldBack(ClassSample sample, ReadOnlySpan<int> groups, ulong seed)
    {
        var of = new int[sample.Rows.Length];
        for (int i = 0; i < of.Length; i++)
        {
            of[i] = groups.IsEmpty ? i : groups[sample.Rows[i]];
        }

        int[] all = [.. of.Distinct()];
        if (all.Length < 8)
        {
            all = of = [.. Enumerable.Range(0, of.Length)];
        }

        int[] order = [.. all];
        new GaussianSource(GaussianSource.Mix(seed, 1)).Shuffle<int>(order);
        HashSet<int> held = [.. order.Take(order.Length / 2)];
        return [.. of.Select(held.Contains)];
    }
}
