using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>How what is said of the same tokens changed between two checkpoints or two runs: KL both ways in nats, agreement of the first choice, and both losses.</summary>
public sealed record OutputShiftMeasure : CheckpointMeasure
{
    private const string Estimator = "distributions of the head, position 0 in";

    /// <summary>Tokens that are read at most.</summary>
    [Bounds(1, 1 << 20)]
    public int Tokens { get; init; } = 512;

    /// <inheritdoc/>
    public override string Legend => "KL to first, agree = of what the head says in two checkpoints; loss of each";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("klSecondToFirst", "KL to first", "0.000"), new("topAgreement", "agree", "0.00"), new("firstLoss", "first loss", "0.000"), new("secondLoss", "second loss", "0.000")];

    /// <inheritdoc/>
    public override void Take(CheckpointSample first, CheckpointSample second, FigureWriter figures)
    {
        NetworkSample before = first.Network, now = second.Network;
        if (before.Model.Config.Outputs > 0 || now.Model.Config.Outputs > 0)
        {
            figures.Add("klSecondToFirst", null, GeometryStatus.Degenerate, "the model has a read-out of values, no head over a vocabulary", 0);
            return;
        }

        int[] rows = StreamPass.Choose(now.Points, Tokens);
        float[] old = StreamPass.Read(before, [StreamPass.Last], rows)[StreamPass.Last], own = StreamPass.Read(now, [StreamPass.Last], rows)[StreamPass.Last];
        using HeadPass oldHead = new(before.Model), ownHead = new(now.Model);
        double[] p = new double[oldHead.Rows * oldHead.Vocab], q = new double[p.Length];
        Mean toSecond = default, toFirst = default, agree = default, firstLoss = default, secondLoss = default;
        for (int start = 0; start < rows.Length; start += oldHead.Rows)
        {
            int count = Math.Min(oldHead.Rows, rows.Length - start);
            oldHead.Run(Rows(old, before, start, count), true, p);
            ownHead.Run(Rows(own, now, start, count), true, q);
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<double> a = p.AsSpan(i * oldHead.Vocab, oldHead.Vocab), b = q.AsSpan(i * oldHead.Vocab, oldHead.Vocab);
                toSecond.Add(TokenDistributions.Divergence(a, b));
                toFirst.Add(TokenDistributions.Divergence(b, a));
                agree.Add(TokenDistributions.Largest(a, 1)[0] == TokenDistributions.Largest(b, 1)[0] ? 1 : 0);
                if (now.Targets[rows[start + i]] is var target and >= 0)
                {
                    firstLoss.Add(-a[target]);
                    secondLoss.Add(-b[target]);
                }
            }
        }

        void Add(string name, in Mean mean) =>
            figures.Add(name, mean.Value, mean.Status, Estimator, mean.Count, mean.Error);
        Add("klFirstToSecond", toSecond);
        Add("klSecondToFirst", toFirst);
        Add("topAgreement", agree);
        Add("firstLoss", firstLoss);
        Add("secondLoss", secondLoss);
    }

    private static ReadOnlySpan<float> Rows(float[] values, NetworkSample network, int start, int count)
    {
        int width = network.Model.Config.Width;
        return values.AsSpan(start * width, count * width);
    }
}
