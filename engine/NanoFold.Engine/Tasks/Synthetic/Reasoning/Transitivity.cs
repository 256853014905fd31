using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Whether what is learned in the weights is put together: each a has a b, and each b a c, both fixed at random. The model is trained on all of these facts and, for a share of the
/// a, on which c they lead to; asked for is the c of the other a, for which both facts are known and their sum is not. <c>accuracy</c> and the loss are of those;
/// <c>logProbability</c> is that of the right c there, <c>logProbabilityOfFacts</c> and <c>logProbabilityOfTrained</c> those of facts and of sums that were trained on, which
/// tell whether there is something to put together.
/// </summary>
public sealed record TransitivityConfig : LabelledTaskConfig
{
    public static TransitivityConfig Tiny => new() { Firsts = 6, Middles = 3, Lasts = 3, ValidationRows = 4 };

    /// <summary>How many a there are.</summary>
    [Bounds(2, 1 << 16)]
    public int Firsts { get; init; } = 200;

    /// <summary>How many b there are. As many as a is hard, for no two a share one; few are easy.</summary>
    [Bounds(2, 1 << 16)]
    public int Middles { get; init; } = 20;

    /// <summary>How many c there are.</summary>
    [Bounds(2, 1 << 16)]
    public int Lasts { get; init; } = 20;

    /// <summary>The share of the a whose c is trained on.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double TrainShare { get; init; } = 0.5;

    /// <inheritdoc/>
    public override int Vocab => Firsts + Middles + Lasts + Transitivity.Relations;

    /// <inheritdoc/>
    public override int LeastContext => Transitivity.PlacesOfProblem;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Transitivity(this, context);

    /// <inheritdoc/>
    protected override string LeastContextOf(string path) => "of a fact";

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.firsts = {Firsts}, middles = {Middles} and lasts = {Lasts}";
}

internal sealed class Transitivity : LabelledTask
{
    /// <summary>Tokens of a problem: whose, and what of it is asked for.</summary>
    public const int PlacesOfProblem = 2;

    /// <summary>What may be asked for: the b of an a, the c of a b, the c of an a.</summary>
    public const int Relations = 3;

    private readonly TransitivityConfig _config;

    // The b of each a, the c of each b, and the a with those first whose c is trained on.
    private readonly int[] _middles;
    private readonly int[] _lasts;
    private readonly int[] _order;
    private readonly int _trained;

    public Transitivity(TransitivityConfig config, TaskContext context)
        : base(config, context)
    {
        _config = config;
        var draws = RowDraws.OfTables(config.SplitSeed);
        // Each as often as any other, or once where there are enough.
        _middles = [.. Enumerable.Range(0, config.Firsts).Select(a => a % config.Middles)];
        _lasts = [.. Enumerable.Range(0, config.Middles).Select(b => b % config.Lasts)];
        _order = [.. Enumerable.Range(0, config.Firsts)];
        draws.Shuffle<int>(_middles);
        draws.Shuffle<int>(_lasts);
        draws.Shuffle<int>(_order);
        _trained = Math.Clamp((int)Math.Round(config.TrainShare * config.Firsts), 0, config.Firsts - 1);
    }

    /// <summary>Which kind of problem a place asks for.</summary>
    public enum Problem
    {
        /// <summary>The c of an a that is held back.</summary>
        HeldBack,

        /// <summary>A b of an a, or a c of a b.</summary>
        Fact,

        /// <summary>The c of an a that was trained on.</summary>
        Trained,
    }

    public override int Vocab => _config.Vocab;

    public override double? LossOfGuessing => Math.Log(_config.Lasts);

    // No more than it takes to ask for everything once.
    protected override long ValidationRows => Math.Min(base.ValidationRows, (Problems + ProblemsOfRow - 1) / ProblemsOfRow);

    private int Problems => (2 * _config.Firsts) + _config.Middles;

    private int ProblemsOfRow => Time / PlacesOfProblem;

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(_config.Lasts);

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfDocuments(time), BatchField.OfGroups(time)];

    public override string GroupedBy => "problem";

    /// <summary>The numbers of <see cref="Problem"/>.</summary>
    public override string GroupMeaning => "0 c that are held back, 1 facts, 2 c that were trained on";

    public override TaskScore NewScore() => new TransitivityScore();

    public override string Symbol(int token)
    {
        (int firsts, int middles, int lasts) = (_config.Firsts, _config.Middles, _config.Lasts);
        return token < firsts ? $"a{token}" : token < firsts + middles ? $"b{token - firsts}" : token < firsts + middles + lasts ? $"c{token - firsts - middles}"
            : (token - firsts - middles - lasts) switch { 0 => "→b", 1 => "→c", _ => "→→c" };
    }

    public override IEnumerable<string> Describe() =>
    [
        $"{_config.Firsts} a have one of {_config.Middles} b each, these one of {_config.Lasts} c; the c of {_trained} a is trained on, that of {_config.Firsts - _trained} asked for",
    ];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), documents = row.Integers(BatchField.Documents), groups = row.Integers(BatchField.Groups);
        int asked = 0, rows = (int)Math.Max(1, ValidationRows), place = PlaceOf(key.Number % rows, rows);
        for (; asked < ProblemsOfRow; asked++)
        {
            // To train on: any of the facts and of the sums that are not held back. To validate with: each problem once.
            int number = key.Split == TaskSplit.Training ? HeldBack + draws.Below(Problems - HeldBack) : (asked * rows) + place;
            if (number >= Problems)
            {
                break;
            }

            int at = asked * PlacesOfProblem;
            (tokens[at], tokens[at + 1], targets[at + 1], Problem kind) = ProblemAt(number);
            documents.Slice(at, PlacesOfProblem).Fill(asked);
            if (!groups.IsEmpty)
            {
                groups[at + 1] = (int)kind;
            }
        }

        return asked;
    }

    private int HeldBack => _config.Firsts - _trained;

    // The order of rows to validate with: where there are more than problems that are held back, rows with one of them stand evenly among the others, so that a part of the rows
    // has its share of them; the first row always has one.
    private int PlaceOf(long row, int rows)
    {
        if (rows <= HeldBack)
        {
            return (int)row;
        }

        long before = ((row * HeldBack) + rows - 1) / rows;
        return (int)(before < HeldBack && before * rows / HeldBack == row ? before : HeldBack + row - before);
    }

    // Sums that are held back, then facts, then sums that are trained on.
    private (int Whose, int Relation, int Answer, Problem Kind) ProblemAt(int number)
    {
        (int firsts, int middles) = (_config.Firsts, _config.Middles);
        int relation = firsts + middles + _config.Lasts;
        if (number >= HeldBack && number < HeldBack + firsts)
        {
            int a = number - HeldBack;
            return (a, relation, firsts + _middles[a], Problem.Fact);
        }

        if (number >= HeldBack + firsts && number < HeldBack + firsts + middles)
        {
            int b = number - HeldBack - firsts;
            return (firsts + b, relation + 1, firsts + middles + _lasts[b], Problem.Fact);
        }

        bool isHeldBack = number < HeldBack;
        int whose = _order[isHeldBack ? _trained + number : number - HeldBack - firsts - middles];
        return (whose, relation + 2, firsts + middles + _lasts[_middles[whose]], isHeldBack ? Problem.HeldBack : Problem.Trained);
    }
}

/// <summary>Loss and accuracy of what is held back, and how likely everything right is found.</summary>
internal sealed class TransitivityScore() : GroupScore(3)
{
    public override Evaluation Result() => ResultOf(
        (int)Transitivity.Problem.HeldBack,
        new("logProbability", -Of((int)Transitivity.Problem.HeldBack).Loss),
        new("logProbabilityOfFacts", -Of((int)Transitivity.Problem.Fact).Loss),
        new("logProbabilityOfTrained", -Of((int)Transitivity.Problem.Trained).Loss));
}
