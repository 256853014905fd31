using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Addition modulo p (grokking, arXiv 2201.02177): a row is of problems a, b, = with the label (a + b) mod p at the last of their three tokens. Each problem is a document
/// of its own. A share of all pairs (a, b) is trained on, the others are held back: <c>accuracy</c> on them may rise long after that on the trained ones.
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

    /// <inheritdoc/>
    public override int Vocab => Modulus + 1;

    /// <inheritdoc/>
    public override int LeastContext => ModularAddition.PlacesOfProblem;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new ModularAddition(this, context);

    /// <inheritdoc/>
    protected override string LeastContextOf(string path) => "of a problem";

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
        new RowDraws((ulong)config.SplitSeed, RowKey.At(TaskSplit.Validation, long.MaxValue)).Shuffle(_pairs);
        _trained = Math.Clamp((int)Math.Round(config.TrainShare * _pairs.Length), 1, _pairs.Length - 1);
    }

    public override int Vocab => _config.Vocab;

    public override double? LossOfGuessing => Math.Log(_config.Modulus);

    public override IReadOnlyList<Score> Best() => [new("loss", 0), new(Evaluation.Accuracy, 1)];

    public override IReadOnlyList<Score> Guessing() => [.. base.Guessing(), new(Evaluation.Accuracy, 1.0 / _config.Modulus)];

    public override string Symbol(int token) => token == _config.Modulus ? "=" : base.Symbol(token);

    // No more than it takes to ask for each pair once.
    protected override long ValidationRows => Math.Min(base.ValidationRows, (HeldBack + (Time / PlacesOfProblem) - 1) / (Time / PlacesOfProblem));

    private int HeldBack => _pairs.Length - _trained;

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfDocuments(time)];

    public override IEnumerable<string> Describe() =>
        [$"addition modulo {_config.Modulus}: {_trained} of {_pairs.Length} pairs to train on, {Time / PlacesOfProblem} problems a row"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), documents = row.Integers(BatchField.Documents);
        int problems = tokens.Length / PlacesOfProblem, asked = 0;
        for (int problem = 0; problem < problems; problem++)
        {
            // Validation goes through what is held back, each pair once.
            long number = key.Split == TaskSplit.Validation ? (key.Number * problems) + problem : draws.Below(key.Split == TaskSplit.Training ? _trained : HeldBack);
            if (key.Split == TaskSplit.Validation && number >= HeldBack)
            {
                break;
            }

            (int a, int b) = Math.DivRem(_pairs[key.Split == TaskSplit.Training ? number : _trained + number], _config.Modulus);
            int at = problem * PlacesOfProblem;
            (tokens[at], tokens[at + 1], tokens[at + 2]) = (a, b, _config.Modulus);
            targets[at + 2] = (a + b) % _config.Modulus;
            documents.Slice(at, PlacesOfProblem).Fill(problem);
            asked++;
        }

        return asked;
    }
}
