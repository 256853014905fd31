using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A pass key in a long text (after arXiv 2305.16300): digits stand somewhere among words that say nothing, and at the end of the row they are asked for. How far back they are is
/// swept over all distances. <c>accuracy</c> is the share of digits found, <c>keys</c> that of whole keys; <c>accuracyTo16</c> and so on, in four steps, are the shares of digits of
/// keys farther back than the step before, up to so many places.
/// </summary>
public sealed record PasskeyConfig : LabelledTaskConfig
{
    public static PasskeyConfig Tiny => new() { Digits = 1, ValidationRows = 6 };

    /// <summary>Digits of a key.</summary>
    [Bounds(1, 1000)]
    public int Digits { get; init; } = 5;

    /// <summary>Whether the words come in any order, rather than as the same sentences again and again.</summary>
    public bool Shuffled { get; init; }

    /// <inheritdoc/>
    public override int Vocab => Passkey.Symbols;

    /// <inheritdoc/>
    public override int LeastContext => (2 * Digits) + 1;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Passkey(this, context);

    /// <inheritdoc/>
    protected override bool LabelsFollow => true;

    /// <inheritdoc/>
    protected override string LeastContextOf(string path) => $"that {path}.digits = {Digits} takes";
}

internal sealed class Passkey(PasskeyConfig config, TaskContext context) : LabelledTask(config, context)
{
    // Tokens after the digits: what the key stands after, what asks for it, then the words.
    private const int Key = 10, Question = 11, FirstWord = 12;

    private static readonly string[] s_sentences = "rain falls on the hill . a wind turns in the trees . the road goes on and on .".Split(' ');

    private static readonly string[] s_words = [.. s_sentences.Distinct()];

    private static readonly int[] s_text = [.. s_sentences.Select(word => FirstWord + Array.IndexOf(s_words, word))];

    /// <summary>How many tokens there are.</summary>
    public static int Symbols => FirstWord + s_words.Length;

    public override int Vocab => Symbols;

    public override double? LossOfGuessing => Math.Log(10);

    public override string GroupedBy => "distance";

    // From the mark before the key to the question, where the key stands first.
    private int Farthest => Math.Max(1, Time - config.Digits);

    public override IReadOnlyList<Score> Best() => [.. Certain, new(PasskeyScore.Keys, 1)];

    public override IReadOnlyList<Score> Guessing() => [.. OneOf(10), new(PasskeyScore.Keys, Math.Pow(0.1, config.Digits))];

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override TaskScore NewScore() => new PasskeyScore(config.Digits, Farthest);

    public override string Symbol(int token) => token < Key ? base.Symbol(token) : token switch { Key => "key:", Question => "key?", _ => s_words[token - FirstWord] };

    public override IEnumerable<string> Describe() =>
        [$"a pass key of {config.Digits} digits, up to {Farthest} places before the question; all else is {(config.Shuffled ? "words in any order" : "the same sentences again and again")}"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), groups = row.Integers(BatchField.Groups);
        int digits = config.Digits, question = tokens.Length - digits, at = draws.Below(question - digits);
        // Sentences begin anywhere.
        int from = draws.Below(s_text.Length);
        for (int t = 0; t < question; t++)
        {
            tokens[t] = config.Shuffled ? FirstWord + draws.Below(s_words.Length) : s_text[(from + t) % s_text.Length];
        }

        (tokens[at], tokens[question]) = (Key, Question);
        for (int digit = 0; digit < digits; digit++)
        {
            int drawn = draws.Below(10);
            tokens[at + 1 + digit] = targets[question + digit] = drawn;
            if (question + 1 + digit < tokens.Length)
            {
                tokens[question + 1 + digit] = drawn;
            }
        }

        if (!groups.IsEmpty)
        {
            groups[question..].Fill(question - at);
        }

        return digits;
    }
}

/// <summary>Digits found, whole keys found, and digits found of keys in each of four steps of the distance.</summary>
/// <param name="digits">Of a key.</param>
/// <param name="farthest">The largest distance.</param>
internal sealed class PasskeyScore(int digits, int farthest) : TargetScore
{
    /// <summary>The name of the share of whole keys.</summary>
    public const string Keys = "keys";

    private const int Steps = 4;

    private readonly (long Right, long Count)[] _steps = new (long, long)[Steps];
    private long _found;
    private long _count;

    public override void Begin()
    {
        base.Begin();
        (_found, _count) = (0, 0);
        Array.Clear(_steps);
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        base.Add(batch, scored);
        int time = batch.Integers(BatchField.Targets).Length / batch.Rows;
        for (int row = 0; row < batch.Rows; row++)
        {
            int end = (row + 1) * time, begin = end - digits, distance = batch.Integers(BatchField.Groups)[begin];
            if (distance < 0)
            {
                continue;
            }

            int right = 0;
            for (int i = begin; i < end; i++)
            {
                right += scored.Integers(1)[i] == batch.Integers(BatchField.Targets)[i] ? 1 : 0;
            }

            _found += right == digits ? 1 : 0;
            _count++;
            int step = 1;
            while (step < Steps && distance > FarthestOf(step))
            {
                step++;
            }

            _steps[step - 1] = (_steps[step - 1].Right + right, _steps[step - 1].Count + digits);
        }
    }

    public override Evaluation Result()
    {
        Evaluation result = base.Result();
        var steps = Enumerable.Range(1, Steps).Select(step => new Score($"accuracyTo{FarthestOf(step)}", (double)_steps[step - 1].Right / _steps[step - 1].Count))
            .Where(score => double.IsFinite(score.Value)).DistinctBy(score => score.Name);
        return result with { Scores = [.. result.Scores!, new Score(Keys, (double)_found / _count), .. steps] };
    }

    private int FarthestOf(int step) => step * farthest / Steps;
}
