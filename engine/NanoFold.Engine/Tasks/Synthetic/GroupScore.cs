namespace NanoFold.Engine.Tasks;

/// <summary>Sums of losses and of right predictions for each group of <see cref="BatchField.Groups"/>: what a task scores apart.</summary>
/// <param name="groups">How many groups there are.</param>
internal abstract class GroupScore(int groups) : TaskScore
{
    private readonly (double Loss, long Right, long Count)[] _sums = new (double, long, long)[groups];

    public override bool IsOfPlaces => true;

    public sealed override void Begin() => Array.Clear(_sums);

    public sealed override void Add(BatchRows batch, ScoredValues scored)
    {
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets), of = batch.Integers(BatchField.Groups), predicted = scored.Integers(1);
        ReadOnlySpan<float> losses = scored.Reals(0);
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                ref (double Loss, long Right, long Count) sum = ref _sums[of[i]];
                sum = (sum.Loss + losses[i], sum.Right + (predicted[i] == targets[i] ? 1 : 0), sum.Count + 1);
            }
        }
    }

    /// <summary>Mean loss, share of right predictions, and number of a group; NaN where an evaluation on a part met none.</summary>
    protected (double Loss, double Accuracy, long Count) Of(int group)
        => (_sums[group].Loss / _sums[group].Count, (double)_sums[group].Right / _sums[group].Count, _sums[group].Count);

    /// <summary>The result of the first group, with what is scored besides where it was met.</summary>
    protected Evaluation ResultOf(int group, params IEnumerable<Score> besides)
    {
        (double loss, double accuracy, long count) = Of(group);
        return Evaluation.Of(loss, count, [new Score(Evaluation.Accuracy, accuracy), .. besides.Where(score => !double.IsNaN(score.Value))]);
    }
}
