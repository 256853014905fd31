using System.Numerics;

namespace NanoFold.Engine.Geometry;

/// <summary>
/// Spends one budget of time on measures of very different cost. Half of it is for passes through the model and for measures that cost little beside one,
/// which are taken with every pass; the other half is shared out evenly among the costly ones, so that each is taken as often as its share allows and none
/// goes without. Each is taken at the multiples of a power of two of steps, the smallest that its share pays for, so two runs that can afford different
/// powers meet at the multiples of the larger one. What a measure costs is a guess before it was taken for the first time and what it took then; nothing is
/// taken before its share has come up for what it has spent and what it is going to cost, so the budget holds from the beginning. Measures that wait for checkpoints are taken
/// at these, where their share pays for it, and at no other step.
/// </summary>
/// <param name="budget">Share of the time.</param>
/// <param name="guesses">Seconds that each measure is reckoned to cost.</param>
/// <param name="waits">Which of them wait for checkpoints; null for none.</param>
internal sealed class MeasureSchedule(double budget, IReadOnlyList<double> guesses, IReadOnlyList<bool>? waits = null)
{
    // Of what a pass costs.
    private const double CheapShare = 0.1;

    private readonly double[] _costs = [.. guesses];
    private readonly double[] _spent = new double[guesses.Count];
    private double _passSpent;

    /// <summary>Seconds that a pass through the model costs: a guess until one was made.</summary>
    public double PassCost { get; set; }

    /// <summary>Passes made so far.</summary>
    public int Passes { get; private set; }

    /// <summary>Seconds spent so far on passes.</summary>
    public double PassSpent => _passSpent;

    /// <summary>Seconds spent so far on a measure.</summary>
    public double SpentOn(int measure) => _spent[measure];

    /// <summary>Seconds spent so far on passes and measures.</summary>
    public double Spent => _passSpent + _spent.Sum();

    /// <summary>Seconds that a measure is going to cost.</summary>
    public double Cost(int measure) => _costs[measure];

    /// <summary>The measures to be taken now; none where there is nothing to be measured.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="stepSeconds">What a step takes.</param>
    /// <param name="elapsed">Seconds since the run began.</param>
    /// <param name="isCheckpoint">A checkpoint belongs to the step.</param>
    public IReadOnlyList<int> Due(long step, double stepSeconds, double elapsed, bool isCheckpoint = false)
    {
        isCheckpoint &= waits?.Contains(true) == true;
        double pass = PassCost, passSpent = _passSpent;
        int costly = 0;
        for (int i = 0; i < _costs.Length; i++)
        {
            (pass, passSpent, costly) = IsCheap(i) ? (pass + _costs[i], passSpent + _spent[i], costly) : (pass, passSpent, costly + 1);
        }

        double passShare = costly > 0 ? budget / 2 : budget, costlyShare = budget / 2 / Math.Max(1, costly);
        double left = (budget * elapsed) - Spent - pass;
        if (left < 0 || passSpent + pass > passShare * elapsed || !(isCheckpoint || IsAt(step, pass / (passShare * stepSeconds))))
        {
            return [];
        }

        List<int>? due = null;
        for (int i = 0; i < _costs.Length; i++)
        {
            if (IsCheap(i))
            {
                (due ??= []).Add(i);
            }
            else if (_costs[i] <= left && _spent[i] + _costs[i] <= costlyShare * elapsed && (Waits(i) ? isCheckpoint : IsAt(step, _costs[i] / (costlyShare * stepSeconds))))
            {
                (due ??= []).Add(i);
                left -= _costs[i];
            }
        }

        return due ?? (IReadOnlyList<int>)[];
    }

    // Whether a step is a multiple of the smallest power of two that is at least so many steps.
    private static bool IsAt(long step, double least) => least <= 1 || (least <= 1L << 62 && step % (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Ceiling(least)) == 0);

    /// <summary>The cheapest measures that can be taken within a time of their own; none where not even a pass can, if what that takes is known.</summary>
    /// <param name="seconds">That time.</param>
    /// <param name="isOpen">Which are still to be taken; null for all.</param>
    public IReadOnlyList<int> Within(double seconds, Func<int, bool>? isOpen = null)
    {
        double left = seconds - (_passSpent > 0 ? PassCost : 0);
        var due = new List<int>();
        foreach (int i in Enumerable.Range(0, _costs.Length).Where(i => isOpen?.Invoke(i) != false).OrderBy(i => _costs[i]))
        {
            left -= _costs[i];
            if (left >= 0)
            {
                due.Add(i);
            }
        }

        return due;
    }

    private bool Waits(int measure) => waits?[measure] == true;

    private bool IsCheap(int measure) => !Waits(measure) && _costs[measure] <= CheapShare * PassCost;

    /// <summary>A pass was made.</summary>
    public void Passed(double seconds)
    {
        Passes++;
        _passSpent += seconds;
        PassCost = seconds;
    }

    /// <summary>A measure was taken; where it was given up half-way it costs more than that.</summary>
    public void Took(int measure, double seconds, bool isWhole)
    {
        _spent[measure] += seconds;
        _costs[measure] = isWhole ? seconds : Math.Max(_costs[measure], seconds);
    }
}
