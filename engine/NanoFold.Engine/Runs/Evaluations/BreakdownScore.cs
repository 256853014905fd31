using System.Runtime.InteropServices;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Runs.Evaluations;

/// <summary>What a task scores, and besides its targets told apart by some axes.</summary>
/// <param name="task">Its own score.</param>
/// <param name="axes">Whose fields the batches have, but for that of the position.</param>
/// <param name="byteLengths">Of text, bytes of each token; empty for others.</param>
internal sealed class BreakdownScore(TaskScore task, IReadOnlyList<ScoreAxis> axes, int[] byteLengths) : TaskScore
{
    private readonly Bins[] _bins = [.. axes.Select(axis => new Bins(axis))];
    private bool _hasAccuracy;

    /// <summary>One for each axis; none where the losses of the task are not of single places.</summary>
    public IReadOnlyList<ScoreBreakdown> Breakdowns => [.. _bins.Where(bins => bins.HasAny).Select(bins => bins.Result(_hasAccuracy, byteLengths.Length > 0))];

    /// <inheritdoc/>
    public override void Begin()
    {
        task.Begin();
        foreach (Bins bins in _bins)
        {
            bins.Clear();
        }
    }

    /// <inheritdoc/>
    public override void Add(BatchRows batch, ScoredValues scored)
    {
        task.Add(batch, scored);
        if (task.IsOfPlaces)
        {
            _hasAccuracy = scored.IsInteger(1);
            Add(batch, scored.Reals(0), _hasAccuracy ? scored.Integers(1) : []);
        }
    }

    /// <summary>Adds the loss of each place [B, T], and what was predicted there or nothing.</summary>
    public void Add(BatchRows batch, ReadOnlySpan<float> losses, ReadOnlySpan<int> predicted)
    {
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets);
        int time = targets.Length / batch.Rows;
        foreach (Bins bins in _bins)
        {
            ReadOnlySpan<int> numbers = bins.Axis == ScoreAxis.Position ? [] : batch.Integers(bins.Axis.Field);
            for (int i = 0; i < targets.Length; i++)
            {
                int number = numbers.IsEmpty ? i % time : numbers[i];
                if (targets[i] >= 0 && number >= 0)
                {
                    bins.Add(number, losses[i], !predicted.IsEmpty && predicted[i] == targets[i], byteLengths.Length > 0 ? byteLengths[targets[i]] : 0);
                }
            }
        }
    }

    /// <inheritdoc/>
    public override Evaluation Result() => task.Result();

    /// <summary>The sums of one axis.</summary>
    private sealed class Bins(ScoreAxis axis)
    {
        // More of them are no table.
        private const int MostEach = 32;

        private readonly Dictionary<int, Sum> _sums = [];

        public ScoreAxis Axis => axis;

        public bool HasAny => _sums.Count > 0;

        public void Clear() => _sums.Clear();

        public void Add(int number, double loss, bool isRight, int bytes)
        {
            ref Sum sum = ref CollectionsMarshal.GetValueRefOrAddDefault(_sums, number, out _);
            sum = sum.Plus(new Sum(1, loss, isRight ? 1 : 0, bytes));
        }

        public ScoreBreakdown Result(bool hasAccuracy, bool isText)
        {
            AxisScale scale = axis.Scale == AxisScale.Each && _sums.Count > MostEach ? AxisScale.Doubling : axis.Scale;
            // In the order of numbers, so that sums do not depend on that in which they came.
            IEnumerable<ScoreBin> bins = _sums.OrderBy(pair => pair.Key).GroupBy(pair => BinOf(pair.Key, scale)).Select(bin =>
            {
                Sum sum = bin.Aggregate(default(Sum), (all, pair) => all.Plus(pair.Value));
                return new ScoreBin(bin.Key.From, bin.Key.To, sum.Targets, sum.Loss / sum.Targets)
                {
                    Accuracy = hasAccuracy ? (double)sum.Right / sum.Targets : null,
                    BitsPerByte = isText && sum.Bytes > 0 ? sum.Loss / (Math.Log(2) * sum.Bytes) : null,
                };
            });
            return new ScoreBreakdown(axis.Name, axis.Meaning, scale, [.. bins]);
        }

        private static (long From, long To) BinOf(int number, AxisScale scale)
        {
            if (scale == AxisScale.Each || number == 0)
            {
                return (number, number);
            }

            long factor = scale == AxisScale.Doubling ? 2 : 10, from = 1;
            while (from * factor <= number)
            {
                from *= factor;
            }

            return (from, (from * factor) - 1);
        }

        private readonly record struct Sum(long Targets, double Loss, long Right, long Bytes)
        {
            public Sum Plus(in Sum other) => new(Targets + other.Targets, Loss + other.Loss, Right + other.Right, Bytes + other.Bytes);
        }
    }
}
