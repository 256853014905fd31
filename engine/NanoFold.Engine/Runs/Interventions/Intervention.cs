using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs.Interventions;

/// <summary>What a model says with some of its points edited, beside what it says unedited and with random edits of equal size.</summary>
public static class Intervention
{
    // Places that are gone through unless a number of rows is given.
    private const int Places = 1 << 15;

    // Tokens of a prompt that are shown unless some are named: of the unedited and of the edited run.
    private const int Shown = 5;

    /// <summary>Runs a model over a text, a prompt or what its task holds back.</summary>
    /// <param name="trained">The model.</param>
    /// <param name="edits">The edits, applied together in their order.</param>
    /// <param name="options">What it reads, and what is wanted.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends it between two batches.</param>
    /// <exception cref="UserException">A point, a text or a token is not there, or cannot be edited.</exception>
    public static InterventionResult Run(TrainedModel trained, IReadOnlyList<EditConfig> edits, InterventionOptions options, Action<string>? note = null, CancellationToken cancel = default)
    {
        RequirePoints(trained, edits);
        if (trained.Config.Model.Visibility == Modules.VisibilityKind.Prefix && options.Prompt is not null)
        {
            throw UserException.Usage("--prompt: the model reads rows with a prefix, which a prompt does not say; leave it out to take what its task holds back");
        }

        var asked = new SurveyOptions { Measures = [], Data = options.Data, Reading = options.Reading, Prompt = options.Prompt, ParseSpecial = options.ParseSpecial, TaskSettings = options.TaskSettings };
        using SurveyData data = SurveyData.Open(trained.Config, trained.HasTokenizer ? trained.Tokenizer : null, asked, note, cancel);
        (BatchShape shape, int rows) = Rows(data, options.Rows);
        using ReadyEdits ready = ReadyEdits.ForRows(trained, edits, data.Task, shape, rows, cancel);

        bool readsLogits = trained.Config.Model.Outputs == 0, isPrompt = options.Prompt is not null;
        var score = new OutputScore(data.Task.NewScore(), isPrompt);
        using var evaluator = new Evaluator(trained.Model, data.Task, shape, rows, default, null, readsLogits ? score : data.Task.NewScore(), []);
        Outcome Take(IReadOnlyList<ITapEditor> editors)
        {
            Evaluation found = evaluator.Run(new TapSet(readsLogits ? [score] : [], editors), part: true, cancel);
            return new Outcome(found.Tokens > 0 ? found.Loss : null, readsLogits ? score.Probabilities : [], readsLogits && !score.IsReference ? score.Divergence : null, found.Tokens);
        }

        score.Tokens = options.Tokens;
        score.IsReference = true;
        Outcome plain = Take([]);
        double[] before = score.Last;
        score.IsReference = false;
        Outcome edited = Take(ready.Editors);
        if (isPrompt && options.Tokens.Count == 0)
        {
            int[] shown = [.. Top(before).Concat(Top(score.Last)).Distinct()];
            (plain, edited, score.Tokens) = (plain with { Probabilities = [.. shown.Select(v => before[v])] }, edited with { Probabilities = [.. shown.Select(v => score.Last[v])] }, shown);
        }

        Outcome[] controls = [.. Enumerable.Range(0, options.Controls).Select(i => Take(ready.Controls(GaussianSource.Mix(options.Seed, (ulong)i))))];
        return new InterventionResult
        {
            Data = data.Name, Rows = rows, Places = plain.Places, Plain = plain, Edited = edited, Controls = controls, Unit = data.Task.Unit.Short,
            Tokens = [.. score.Tokens.Select(token => new ChosenToken(token, trained.HasTokenizer ? trained.Tokenizer.Describe(token) : data.Task.Symbol(token)))],
        };
    }

    /// <summary>The same of each point that an edit names by itself.</summary>
    /// <inheritdoc cref="Run"/>
    public static IEnumerable<EditedPoint> RunEach(
        TrainedModel trained, IReadOnlyList<EditConfig> edits, InterventionOptions options, Action<string>? note = null, CancellationToken cancel = default)
    {
        RequirePoints(trained, edits);
        TapPoint[] points = [.. trained.Model.TapPoints];
        return edits.Index().SelectMany(edit => points.Where(point => TapName.Matches(edit.Item.Points, point.Name)).Select(point =>
            new EditedPoint(edit.Index, point.Name, Run(trained, [edit.Item with { Points = point.Name }], options, note, cancel))));
    }

    private static IEnumerable<int> Top(double[] distribution) => Enumerable.Range(0, distribution.Length).OrderByDescending(v => distribution[v]).ThenBy(v => v).Take(Shown);

    // Whole batches where there are several, so that no row is without places.
    private static (BatchShape Shape, int Rows) Rows(SurveyData data, int? asked)
    {
        int time = data.Context;
        long all = data.Task.Rows(TaskSplit.Validation, time);
        if (all == 0)
        {
            throw new UserException($"{data.Name}: nothing is held back to go through; name a text with --data");
        }

        int rows = (int)Math.Min(all, asked ?? Math.Max(1, Places / time)), together = Math.Min(rows, BatchShape.ToEvaluate(time).Rows);
        return (new BatchShape(together, time), rows / together * together);
    }

    private static void RequirePoints(TrainedModel trained, IReadOnlyList<EditConfig> edits)
    {
        TapPoint[] points = [.. trained.Model.TapPoints];
        for (int i = 0; i < edits.Count; i++)
        {
            TapPoint[] matched = [.. points.Where(point => TapName.Matches(edits[i].Points, point.Name))];
            if (matched.Length == 0)
            {
                throw UserException.Usage($"--edit.{i}.points: '{edits[i].Points}' matches no point of the model{TapSet.Instead(edits[i].Points, [.. points.Select(point => point.Name)])}");
            }

            if (matched.FirstOrDefault(point => point.IsReadOnly) is { } fixedPoint)
            {
                throw UserException.Usage($"--edit.{i}.points: {fixedPoint.Name} can be read, not edited; nothing uses its value");
            }
        }
    }
}

/// <summary>What an intervention runs on, and what is wanted of it.</summary>
public sealed record InterventionOptions
{
    /// <summary>A text in place of the run's own; null for none.</summary>
    public string? Data { get; init; }

    /// <summary>How that text is read.</summary>
    public Corpora.CorpusOptions? Reading { get; init; }

    /// <summary>A prompt in place of a text; null for none. Of it the last place is what tokens are chosen at.</summary>
    public string? Prompt { get; init; }

    /// <summary>Whether the name of a special token in the prompt is that token, and not text.</summary>
    public bool ParseSpecial { get; init; }

    /// <summary>Settings of the task, <c>task=grammar</c>.</summary>
    public IReadOnlyList<string> TaskSettings { get; init; } = [];

    /// <summary>Rows that are gone through, evenly spaced; null for about 32,768 places.</summary>
    public int? Rows { get; init; }

    /// <summary>Tokens whose probabilities are wanted; none of a prompt for those that are most probable before and after.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [];

    /// <summary>Random edits of equal size that the edit is held against.</summary>
    public int Controls { get; init; } = 5;

    /// <summary>Of the random edits.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>What a model said in one run.</summary>
/// <param name="Loss">In the unit of the task; null where no place had a target.</param>
/// <param name="Probabilities">Of the chosen tokens, means over the places with a target, or at the last place of a prompt.</param>
/// <param name="Divergence">KL in nats of the unedited distribution to this one, mean over the same places; null of the unedited run, and where there is too much to compare.</param>
/// <param name="Places">Places with a target.</param>
public sealed record Outcome(double? Loss, IReadOnlyList<double> Probabilities, double? Divergence, long Places);

/// <summary>A token whose probability is told.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Text">How it reads.</param>
public sealed record ChosenToken(int Id, string Text);

/// <summary>What an edit changes at one point.</summary>
/// <param name="Edit">Its place among the edits, from 0.</param>
/// <param name="Point">The point's full name.</param>
/// <param name="Result">What changed.</param>
public sealed record EditedPoint(int Edit, string Point, InterventionResult Result);

/// <summary>Three sorts of runs over the same rows.</summary>
public sealed record InterventionResult
{
    /// <summary>What was read, for people.</summary>
    public required string Data { get; init; }

    /// <summary>Rows that were gone through.</summary>
    public required int Rows { get; init; }

    /// <summary>Places with a target.</summary>
    public required long Places { get; init; }

    /// <summary>What losses are counted in.</summary>
    public required string Unit { get; init; }

    /// <summary>The tokens of <see cref="Outcome.Probabilities"/>.</summary>
    public required IReadOnlyList<ChosenToken> Tokens { get; init; }

    /// <summary>Unedited.</summary>
    public required Outcome Plain { get; init; }

    /// <summary>With the edits.</summary>
    public required Outcome Edited { get; init; }

    /// <summary>With random edits of equal size.</summary>
    public required IReadOnlyList<Outcome> Controls { get; init; }
}
