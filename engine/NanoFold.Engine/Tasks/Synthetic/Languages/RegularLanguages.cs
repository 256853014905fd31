using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Regular languages in context (RegBench, arXiv 2401.12973): each row is of strings of another random automaton, parted by a sign, so that the language has to be found from the
/// strings before. Trained on is the next symbol of a string. <c>allowed</c> is the share of places at which the symbol found most likely is one that the language allows,
/// <c>totalVariation</c> the mean distance of what is predicted to the language's own distribution.
/// </summary>
public sealed record RegularLanguagesConfig : LabelledTaskConfig
{
    public static RegularLanguagesConfig Tiny => new() { Symbols = 6, LeastStates = 2, MostStates = 3, Edges = 2, Length = 4, ValidationRows = 6 };

    /// <summary>V: the last is the sign between strings. A language uses at least <c>task.edges</c> of the others.</summary>
    [Bounds(3, 31)]
    public int Symbols { get; init; } = 20;

    /// <summary>States of an automaton at least.</summary>
    [Bounds(2, 64)]
    public int LeastStates { get; init; } = 4;

    /// <summary>States of an automaton at most.</summary>
    [Bounds(2, 64)]
    public int MostStates { get; init; } = 12;

    /// <summary>Edges of a state at most: each to another state, with another symbol, and as likely as any other. There is at least one.</summary>
    [Bounds(1, 16)]
    public int Edges { get; init; } = 4;

    /// <summary>Symbols of a string at most.</summary>
    [Bounds(1, 4096)]
    public int Length { get; init; } = 50;

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override int LeastContext => 2;

    /// <inheritdoc/>
    public override int? UsualContext => 256;

    /// <inheritdoc/>
    protected override bool LabelsFollow => true;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        if (Edges > Symbols - 1)
        {
            yield return new ConfigProblem($"{path}.edges", $"{Edges} is more than the {Symbols - 1} symbols of strings that {path}.symbols = {Symbols} has");
        }

        if (LeastStates > MostStates)
        {
            yield return new ConfigProblem($"{path}.leastStates", $"{LeastStates} is more than {path}.mostStates = {MostStates}");
        }

        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }
    }

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new RegularLanguages(this, context);

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

internal sealed class RegularLanguages(RegularLanguagesConfig config, TaskContext context) : LabelledTask(config, context)
{
    /// <summary>The symbols that are allowed where a label stands, a bit each.</summary>
    public const string Allowed = "allowed";

    public override int Vocab => config.Vocab;

    public override double? LossOfGuessing => Math.Log(Sign);

    public override string? GroupedBy => "stringsBefore";

    // Those before it make strings.
    private int Sign => config.Symbols - 1;

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time), BatchField.OfScores(Allowed, time)];

    public override TaskScore NewScore() => new LanguageScore(config.Symbols);

    public override string Symbol(int token) => token == Sign ? "|" : Sign <= 26 ? $"{(char)('a' + token)}" : base.Symbol(token);

    public override IEnumerable<string> Describe() =>
    [
        $"regular languages: automata of {config.LeastStates} to {config.MostStates} states, another in each row",
        $"strings of up to {config.Length} of {Sign} symbols, {Time} places a row",
    ];

    /// <summary>What who knows each row's automaton scores: no model can do better.</summary>
    public override IReadOnlyList<Score> Best()
    {
        double nats = 0, right = 0;
        long count = 0;
        foreach (BatchRows row in HeldBackRows())
        {
            foreach (int allowed in row.Integers(Allowed))
            {
                if (allowed >= 0)
                {
                    int edges = int.PopCount(allowed);
                    (nats, right, count) = (nats + Math.Log(edges), right + (1.0 / edges), count + 1);
                }
            }
        }

        return count == 0 ? [] : [new("loss", nats / count), new(Evaluation.Accuracy, right / count), new(LanguageScore.Allowed, 1), new(LanguageScore.TotalVariation, 0)];
    }

    public override IReadOnlyList<Score> Guessing() => OneOf(Sign);

    public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        if (tape.IsTraining)
        {
            return base.RecordLoss(tape, model, batch);
        }

        (Tensor loss, Tensor losses, Tensor logits) = RecordLogits(tape, model, batch);
        int rows = checked((int)logits.Layout.Rows);
        return new TaskLoss(loss, losses, TopKOp.Record(tape, logits.Reshape(rows, logits[-1]), 1).Indices.Reshape(rows), logits);
    }

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        var automaton = new Automaton(
            stackalloc int[config.MostStates], stackalloc int[config.MostStates * config.Edges], stackalloc int[config.MostStates * config.Edges], config.Edges);
        automaton.Draw(config.LeastStates, Sign, ref draws);
        Span<int> allowed = row.Integers(Allowed);
        var writer = new SequenceWriter(row);
        for (int strings = 0; writer.Written < writer.Length; strings++)
        {
            writer.Write(Sign, isLabel: false);
            int length = Math.Min(1 + draws.Below(config.Length), writer.Length - writer.Written);
            for (int i = 0, state = 0; i < length; i++)
            {
                if (!allowed.IsEmpty)
                {
                    allowed[writer.Written - 1] = automaton.Symbols(state);
                }

                writer.Write(automaton.Step(ref state, ref draws), isLabel: true, strings);
            }
        }

        return writer.Targets;
    }
}
