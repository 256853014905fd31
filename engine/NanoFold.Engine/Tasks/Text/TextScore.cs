namespace NanoFold.Engine.Tasks;

/// <summary>Nats per token and bits per byte.</summary>
/// <param name="byteLengths">Bytes of each token of the vocabulary.</param>
internal sealed class TextScore(int[] byteLengths) : TaskScore
{
    private double _sum;
    private long _count;
    private long _bytes;

    public override bool IsOfPlaces => true;

    public override void Begin() => (_sum, _count, _bytes) = (0, 0, 0);

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets);
        ReadOnlySpan<float> nats = scored.Reals(0);
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                _sum += nats[i];
                _count++;
                _bytes += byteLengths[targets[i]];
            }
        }
    }

    public override Evaluation Result() => new(_sum / _count, _sum / (Math.Log(2) * _bytes), _count, _bytes);
}
