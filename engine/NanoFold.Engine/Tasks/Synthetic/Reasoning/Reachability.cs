using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Reachability in a graph of named concepts (in the style of ProsQA, arXiv 2412.06769): statements "every a is a b" in any order, no circles among them, then the question which
/// of two concepts the first one is. Both are ends of chains, only one of them is reached. With <c>path</c> the shortest chain is written before the answer.
/// <c>accuracy</c> is the share of questions for which everything that the model has to write is right, the path too: so it would also be, were it to go on by itself.
/// </summary>
public sealed record ReachabilityConfig : LabelledTaskConfig
{
    public static ReachabilityConfig Tiny => new() { Concepts = 8, Statements = 8, Names = 10, MostSteps = 2, ValidationRows = 6 };

    /// <summary>Concepts of a row.</summary>
    [Bounds(6, 64)]
    public int Concepts { get; init; } = 10;

    /// <summary>Statements of a row: at least concepts − 2, which hang each concept on another; the others lead to concepts that have one already.</summary>
    [Bounds(4, 256)]
    public int Statements { get; init; } = 11;

    /// <summary>Names to call concepts by, in each row others.</summary>
    [Bounds(6, 10_000)]
    public int Names { get; init; } = 32;

    /// <summary>The fewest steps from the first concept to the one that is reached.</summary>
    [Bounds(1, 16)]
    public int LeastSteps { get; init; } = 1;

    /// <summary>The most steps. All from the fewest to the most are as frequent as each other, and both candidates are as many steps from where they begin.</summary>
    [Bounds(1, 16)]
    public int MostSteps { get; init; } = 3;

    /// <summary>Whether the path is written before the answer.</summary>
    public bool Path { get; init; }

    /// <inheritdoc/>
    public override int Vocab => Names + Reachability.Marks;

    /// <inheritdoc/>
    public override int LeastContext => Reachability.Places(this);

    /// <inheritdoc/>
    public override int? UsualContext => LeastContext;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        if (Names < Concepts)
        {
            yield return new ConfigProblem($"{path}.names", $"{Names} is less than {path}.concepts = {Concepts}");
        }

        if (LeastSteps > MostSteps)
        {
            yield return new ConfigProblem($"{path}.leastSteps", $"{LeastSteps} is more than {path}.mostSteps = {MostSteps}");
        }

        // Half of the concepts are on each side, one of which is the first.
        if (MostSteps > (Concepts / 2) - 1)
        {
            yield return new ConfigProblem($"{path}.mostSteps", $"{MostSteps} is more than the {(Concepts / 2) - 1} that a side of {path}.concepts = {Concepts} may have");
        }
        else if (Statements < Concepts - 2 || Statements > ConceptGraph.MostStatements(Concepts, MostSteps))
        {
            yield return new ConfigProblem(
                $"{path}.statements",
                $"{Statements} is not from {Concepts - 2} to {ConceptGraph.MostStatements(Concepts, MostSteps)}, as {path}.concepts = {Concepts} and {path}.mostSteps = {MostSteps} need");
        }

        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }
    }

    /// <summary>What is asked for never lies deeper: a longer row only has more places after it.</summary>
    public override string WhyNotLonger(int trained) => "rows have a length of their own";

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Reachability(this, context);

    /// <inheritdoc/>
    protected override bool LabelsFollow => Path;

    /// <inheritdoc/>
    protected override string LeastContextOf(string path) => $"that {path}.statements = {Statements}{(Path ? $" and {path}.mostSteps = {MostSteps}" : "")} take";

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.names = {Names}";
}

internal sealed class Reachability(ReachabilityConfig config, TaskContext context) : LabelledTask(config, context)
{
    /// <summary>Tokens besides names.</summary>
    public const int Marks = 4;

    // Places of a statement, and of a question with the mark after it.
    private const int Statement = 3, Question = 5;

    // Marks: the end of a statement or path, of what a question consists, what begins the answer, and what fills a row up.
    private readonly int _end = config.Names, _question = config.Names + 1, _answer = config.Names + 2, _empty = config.Names + 3;

    public override int Vocab => config.Vocab;

    public override double? LossOfGuessing => config.Path ? null : Math.Log(2);

    public override string GroupedBy => "steps";

    /// <summary>Places of the longest row.</summary>
    public static int Places(ReachabilityConfig config) => (Statement * config.Statements) + Question + (config.Path ? config.MostSteps + 1 : 0);

    public override IReadOnlyList<Score> Best() => config.Path ? [new(Evaluation.Accuracy, 1)] : Certain;

    public override IReadOnlyList<Score> Guessing() => config.Path ? [] : OneOf(2);

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override TaskScore NewScore() => new ReachabilityScore(config.Path);

    public override IEnumerable<string> Describe() =>
        [$"{config.Concepts} concepts and {config.Statements} statements a row; which of two is reached in {config.LeastSteps} to {config.MostSteps} steps{(config.Path ? ", after the path" : "")}"];

    public override string Symbol(int token) => token < config.Names ? CoinedNames.Of(token) : token == _end ? "." : token == _question ? "?" : token == _answer ? ":" : "_";

    public override IReadOnlyList<string> Show(in BatchRow row)
    {
        int[] tokens = row.Integers(BatchField.Tokens).ToArray(), targets = row.Integers(BatchField.Targets).ToArray();
        string Name(int at) => Symbol(tokens[at]);
        IEnumerable<string> statements = Enumerable.Range(0, config.Statements).Select(i => $"Every {Name(Statement * i)} is a {Name((Statement * i) + 1)}.");
        int question = Statement * config.Statements;
        return
        [
            string.Join(' ', statements),
            $"Is every {Name(question + 1)} a {Name(question + 2)} or a {Name(question + 3)}? [{string.Join(' ', targets.Where(target => target >= 0).Select(Symbol))}]",
        ];
    }

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), groups = row.Integers(BatchField.Groups);
        Span<ulong> parents = stackalloc ulong[config.Concepts];
        Span<int> names = stackalloc int[config.Concepts], path = stackalloc int[config.Concepts];
        var graph = new ConceptGraph(config.Concepts, parents);
        int steps = config.LeastSteps + draws.Below(config.MostSteps - config.LeastSteps + 1);
        (int from, int other) = graph.Draw(ref draws, config.Statements, steps, path);
        draws.Distinct(names, config.Concepts, from: 0, config.Names);
        tokens.Fill(_empty);
        int at = Write(graph, ref draws, names, tokens);
        int reached = names[path[steps - 1]];
        bool isFirst = draws.Below(2) == 0;
        (tokens[at], tokens[at + 1], tokens[at + 4]) = (_question, names[from], _answer);
        (tokens[at + 2], tokens[at + 3]) = isFirst ? (reached, names[other]) : (names[other], reached);
        int first = at + 4, last = first;
        if (config.Path)
        {
            for (int step = 0; step < steps; step++, last++)
            {
                targets[last] = tokens[last + 1] = names[path[step]];
            }

            targets[last] = tokens[last + 1] = _end;
            last++;
        }

        targets[last] = reached;
        if (!groups.IsEmpty)
        {
            groups[first..(last + 1)].Fill(steps);
        }

        return last + 1 - first;
    }

    // The statements in any order; returns where they end.
    private int Write(ConceptGraph graph, ref RowDraws draws, ReadOnlySpan<int> names, Span<int> tokens)
    {
        Span<int> order = stackalloc int[config.Statements];
        int made = 0;
        for (int child = 2; child < config.Concepts; child++)
        {
            for (int parent = 0; parent < child; parent++)
            {
                if ((graph.ParentsOf(child) >> parent & 1) != 0)
                {
                    order[made++] = (parent * ConceptGraph.MostConcepts) + child;
                }
            }
        }

        draws.Shuffle(order);
        for (int i = 0; i < order.Length; i++)
        {
            (tokens[Statement * i], tokens[(Statement * i) + 1], tokens[(Statement * i) + 2]) = (names[order[i] / ConceptGraph.MostConcepts], names[order[i] % ConceptGraph.MostConcepts], _end);
        }

        return Statement * order.Length;
    }
}
