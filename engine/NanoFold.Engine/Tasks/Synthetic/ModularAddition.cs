using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Addition modulo p (grokking, arXiv 2201.02177): a row is of problems a, b, = with the label (a + b) mod p at the last of their three tokens. Each problem is a document
/// of its own. A share of all pairs (a, b) is trained on, the others are held back: <c>accuracy</c> on them may rise long after that on the trained ones, which
/// <c>scoreTrained</c> scores besides as <c>trainedAccuracy</c> and <c>trainedLoss</c>.
/// </summary>
public sealed record ModularAdditionConfig : LabelledTaskConfig
{
    public static ModularAdditionConfig Tiny => new() { Modulus = 5, ValidationRows = 4 };

    /// <summary>p; the numbers are the tokens 0 … p − 1, and p is the sign after them.</summary>
    [Bounds(2, 2048)]
    public int Modulus { get; init; } = 97;

    /// <summary>The share of the p² pairs that is trained on.</summary>
    [Bounds(0, 1, AboveMinimum = true, BelowMaximum = true)]
    public double TrainShare { get; init; } = 0.5;

    /// <summary>Whether evaluations ask for pairs that were trained on too, in every other problem: the other curve of grokking. Loss and accuracy stay those of what is held back.</summary>
    public bool ScoreTrained { get; init; }

    /// <inheritdoc/>
    public override int Vocab => Modulus + 1;

    /// <inheritdoc/>
    public override int LeastContext => ModularAddition.PlacesOfProblem * (ScoreTrained ? 2 : 1);

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new ModularAddition(this, context);

    /// <inheritdoc/>
    protected override string LeastContextOf(string path) => ScoreTrained ? $"of the two problems that {path}.scoreTrained needs" : "of a problem";

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.modulus = {Modulus}";
}

internal sealed class ModularAddition : LabelledTask
{
    /// <summary>Tokens of a problem.</summary>
    public const int PlacesOfProblem = 3;

    private readonly ModularAdditionConfig _config;

    // All pairs, those to train on first.
    private readonly int[] _pairs;
    private readonly int _trained;

    public ModularAddition(ModularAdditionConfig config, TaskContext context)
        : base(config, context)
    {
        _config = config;
        _pairs = [.. Enumerable.Range(0, config.Modulus * config.Modulus)];
        RowDraws.OfTables(config.SplitSeed).Shuffle<int>(_pairs);
        _trained = Math.Clamp((int)Math.Round(config.TrainShare * _pairs.Length), 1, _pairs.Length - 1);
    }

    public override int Vocab => _config.Vocab;

    public override double? LossOfGuessing => Math.Log(_config.Modulus);

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(_config.Modulus);

    public override string Symbol(int token) => token == _config.Modulus ? "=" : base.Symbol(token);

    public override string? GroupedBy => _config.ScoreTrained ? "trained" : null;

    // No more than it takes to ask for each pair once.
    protected override long ValidationRows => Math.Min(base.ValidationRows, (HeldBack + HeldBackOfRow - 1) / HeldBackOfRow);

    private int HeldBack => _pairs.Length - _trained;

    // Problems of a row to validate with that are held back; with trained ones, every other.
    private int HeldBackOfRow => _config.ScoreTrained ? ((Time / PlacesOfProblem) + 1) / 2 : Time / PlacesOfProblem;

    public override IReadOnlyList<BatchField> Fields(int time) =>
        [.. base.Fields(time), BatchField.OfDocuments(time), .. _config.ScoreTrained ? [BatchField.OfGroups(time)] : Array.Empty<BatchField>()];

    public override TaskScore NewScore() => _config.ScoreTrained ? new TrainedScore() : base.NewScore();

    public override IEnumerable<string> Describe() =>
        [$"addition modulo {_config.Modulus}: {_trained} of {_pairs.Length} pairs to train on, {Time / PlacesOfProblem} problems a row"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), documents = row.Integers(BatchField.Documents), groups = row.Integers(BatchField.Groups);
        int problems = tokens.Length / PlacesOfProblem, asked = 0;
        for (int problem = 0; problem < problems; problem++)
        {
            int number = NumberOf(key, ref draws, problem);
            if (number < 0)
            {
                break;
            }

            (int a, int b) = Math.DivRem(_pairs[number], _config.Modulus);
            int at = problem * PlacesOfProblem;
            (tokens[at], tokens[at + 1], tokens[at + 2]) = (a, b, _config.Modulus);
            targets[at + 2] = (a + b) % _config.Modulus;
            documents.Slice(at, PlacesOfProblem).Fill(problem);
            if (!groups.IsEmpty)
            {
                groups[at + 2] = number < _trained ? TrainedScore.Trained : TrainedScore.HeldBack;
            }

            asked++;
        }

        return asked;
    }

    // Which of the pairs, those to train on first; −1 for none. Validation goes through what is held back, each pair once, and through as many trained ones.
    private int NumberOf(in RowKey key, ref RowDraws draws, int problem)
    {
        if (key.Split != TaskSplit.Validation)
        {
            return key.Split == TaskSplit.Training ? draws.Below(_trained) : _trained + draws.Below(HeldBack);
        }

        if (_config.ScoreTrained && problem % 2 == 1)
        {
            return (int)(((key.Number * HeldBackOfRow) + (problem / 2)) % _trained);
        }

        long number = (key.Number * HeldBackOfRow) + (_config.ScoreTrained ? problem / 2 : problem);
        return number < HeldBack ? _trained + (int)number : -1;
    }
}

/// <summary>Loss and accuracy of what is held back, and both of what was trained on.</summary>
internal sealed class TrainedScore() : GroupScore(2)
{
    /// <summary>The groups.</summary>
    public const int HeldBack = 0, Trained = 1;

    public override Evaluation Result() => ResultOf(HeldBack, new("trainedAccuracy", Of(Trained).Accuracy), new("trainedLoss", Of(Trained).Loss));
}
