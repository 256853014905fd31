namespace NanoFold.Engine.Tasks;

/// <summary>Questions for which all is right that is asked for.</summary>
/// <param name="hasPath">Whether a path is asked for; then single words are scored besides.</param>
internal sealed class ReachabilityScore(bool hasPath) : TargetScore
{
    private long _right;
    private long _count;

    public override void Begin()
    {
        base.Begin();
        (_right, _count) = (0, 0);
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        base.Add(batch, scored);
        int time = batch.Integers(BatchField.Targets).Length / batch.Rows;
        for (int row = 0; row < batch.Rows; row++)
        {
            ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets).Slice(row * time, time), predicted = scored.Integers(1).Slice(row * time, time);
            int asked = 0, right = 0;
            for (int t = 0; t < time; t++)
            {
                asked += targets[t] >= 0 ? 1 : 0;
                right += targets[t] >= 0 && predicted[t] == targets[t] ? 1 : 0;
            }

            _count += asked > 0 ? 1 : 0;
            _right += asked > 0 && right == asked ? 1 : 0;
        }
    }

    public override Evaluation Result()
    {
        Evaluation result = base.Result();
        double words = result.Scores![0].Value;
        return result with { Scores = [new Score(Evaluation.Accuracy, (double)_right / _count), .. hasPath ? [new Score("words", words)] : Array.Empty<Score>()] };
    }
}
