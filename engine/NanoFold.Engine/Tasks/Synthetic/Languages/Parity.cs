using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Parity of bits: the label at each place is whether the number of ones up to it is odd. A state of one bit is enough, yet attention, and recurrences whose decays are positive,
/// do not find it for long rows (arXiv 2411.12537).
/// </summary>
public sealed record ParityConfig : LabelledTaskConfig
{
    public static ParityConfig Tiny => new() { ValidationRows = 6 };

    /// <summary>How often a bit is 1.</summary>
    [Bounds(0, 1, AboveMinimum = true, BelowMaximum = true)]
    public double Ones { get; init; } = 0.5;

    /// <inheritdoc/>
    public override int Vocab => 2;

    /// <inheritdoc/>
    public override int? UsualContext => 32;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Parity(this, context);
}

internal sealed class Parity(ParityConfig config, TaskContext context) : LabelledTask(config, context)
{
    public override int Vocab => config.Vocab;

    public override double? LossOfGuessing => Math.Log(2);

    public override IReadOnlyList<Score> Best() => Certain;

    /// <summary>Of one who knows how often a bit is 1, q: after t bits the label is 1 with a probability of (1 − (1 − 2 q)^t) / 2.</summary>
    public override IReadOnlyList<Score> Guessing()
    {
        double nats = 0, right = 0;
        for (int t = 1; t <= Time; t++)
        {
            double odd = (1 - Math.Pow(1 - (2 * config.Ones), t)) / 2, even = 1 - odd;
            nats -= (odd > 0 ? odd * Math.Log(odd) : 0) + (even > 0 ? even * Math.Log(even) : 0);
            right += Math.Max(odd, even);
        }

        return [new("loss", nats / Time), new(Evaluation.Accuracy, right / Time)];
    }

    public override IEnumerable<string> Describe() => [$"parity of {Time} bits, asked for at each of them"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        int odd = 0;
        for (int t = 0; t < tokens.Length; t++)
        {
            tokens[t] = draws.Uniform() < config.Ones ? 1 : 0;
            targets[t] = odd ^= tokens[t];
        }

        return tokens.Length;
    }
}
