namespace NanoFold.Engine.Runs.Scoring;

/// <summary>How far a model's confidence is from how often it is right, in equal bins of confidence, bin k of n being (k/n, (k + 1)/n].</summary>
public sealed class Calibration
{
    private readonly (long Count, double Confidence, long Right)[] _bins;
    private double _top;
    private double _all;
    private double _nats;
    private long _count;
    private long _distributions;

    /// <param name="bins">n.</param>
    public Calibration(int bins = 15) => _bins = new (long, double, long)[bins];

    /// <summary>Answers that were added.</summary>
    public long Count => _count;

    /// <summary>Expected calibration error (Naeini and others, 2015): Σ n_k/N · |mean confidence − share right|.</summary>
    public double Error => _bins.Sum(bin => bin.Count == 0 ? 0 : (double)bin.Count / _count * Gap(bin));

    /// <summary>The largest difference of a bin.</summary>
    public double LargestError => _bins.Where(bin => bin.Count > 0).Select(Gap).DefaultIfEmpty(double.NaN).Max();

    /// <summary>Mean of (confidence − right)².</summary>
    public double TopBrier => _top / _count;

    /// <summary>Mean of Σ over the choices (p − 1 or 0)² (Brier, 1950); NaN where only the confidence is known.</summary>
    public double Brier => _all / _distributions;

    /// <summary>Mean of −ln p of the right choice.</summary>
    public double Nats => _nats / _distributions;

    /// <summary>The bins that have answers.</summary>
    public IReadOnlyList<CalibrationBin> Bins =>
    [
        .. _bins.Select((bin, k) => new CalibrationBin((double)k / _bins.Length, (k + 1.0) / _bins.Length, bin.Count, bin.Confidence / bin.Count, (double)bin.Right / bin.Count))
            .Where(bin => bin.Count > 0),
    ];

    /// <summary>Adds an answer of which the confidence is known.</summary>
    /// <param name="confidence">The probability of what was answered.</param>
    /// <param name="isRight">Whether that was right.</param>
    public void Add(double confidence, bool isRight)
    {
        int k = Math.Clamp((int)Math.Ceiling(confidence * _bins.Length) - 1, 0, _bins.Length - 1);
        (long count, double sum, long right) = _bins[k];
        _bins[k] = (count + 1, sum + confidence, right + (isRight ? 1 : 0));
        _top += Square(confidence - (isRight ? 1 : 0));
        _count++;
    }

    /// <summary>Adds an answer of which all probabilities are known; answered is the largest, of equal ones the first.</summary>
    /// <param name="probabilities">Of the choices.</param>
    /// <param name="gold">The right one.</param>
    public void Add(IReadOnlyList<double> probabilities, int gold)
    {
        double confidence = probabilities.Max();
        Add(confidence, probabilities[gold] == confidence && !probabilities.Take(gold).Contains(confidence));
        _all += probabilities.Select((p, choice) => Square(p - (choice == gold ? 1 : 0))).Sum();
        _nats -= Math.Log(probabilities[gold]);
        _distributions++;
    }

    private static double Gap((long Count, double Confidence, long Right) bin) => Math.Abs(bin.Confidence - bin.Right) / bin.Count;

    private static double Square(double x) => x * x;
}

/// <summary>The answers of one bin.</summary>
/// <param name="From">Its lower end, not included.</param>
/// <param name="To">Its upper end, included.</param>
/// <param name="Count">How many.</param>
/// <param name="Confidence">Mean.</param>
/// <param name="Accuracy">The share that is right.</param>
public readonly record struct CalibrationBin(double From, double To, long Count, double Confidence, double Accuracy);
