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
        using var reading = new Reading(trained, options, note, cancel);
        return reading.With(edits);
    }

    /// <summary>The same of each point that an edit names by itself.</summary>
    /// <inheritdoc cref="Run"/>
    public static IEnumerable<EditedPoint> RunEach(
        TrainedModel trained, IReadOnlyList<EditConfig> edits, InterventionOptions options, Action<string>? note = null, CancellationToken cancel = default)
    {
        RequirePoints(trained, edits);
        using var reading = new Reading(trained, options, note, cancel);
        foreach ((int number, EditConfig edit) in edits.Index())
        {
            foreach (TapPoint point in trained.Model.TapPoints.Where(point => TapName.Matches(edit.Points, point.Name)))
            {
                yield return new EditedPoint(number, point.Name, reading.With([edit with { Points = point.Name }]));
            }
        }
    }

    /// <summary>How many rows are gone through, and in which batches: whole ones where there are several, so that no row is without places.</summary>
    internal static (BatchShape Shape, int Rows) Rows(SurveyData data, int? asked, int places)
    {
        int time = data.Context;
        long all = data.Task.Rows(TaskSplit.Validation, time);
        if (all == 0)
        {
            throw new UserException($"{data.Name}: nothing is held back to go through; name a text with --data");
        }

        int rows = (int)Math.Min(all, asked ?? Math.Max(1, places / time)), together = Math.Min(rows, BatchShape.ToEvaluate(time).Rows);
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

    // The rows, and what the unedited model says of them.
    private sealed class Reading : IDisposable
    {
        private readonly TrainedModel _trained;
        private readonly InterventionOptions _options;
        private readonly CancellationToken _cancel;
        private readonly SurveyData _data;
        private readonly BatchShape _shape;
        private readonly int _rows;
        private readonly OutputScore _score;
        private readonly Evaluator _evaluator;
        private readonly Outcome _plain;
        private readonly double[] _before;

        public Reading(TrainedModel trained, InterventionOptions options, Action<string>? note, CancellationToken cancel)
        {
            if (trained.Config.Model.Visibility == Modules.VisibilityKind.Prefix && options.Prompt is not null)
            {
                throw UserException.Usage("--prompt: the model reads rows with a prefix, which a prompt does not say; leave it out to take what its task holds back");
            }

            (_trained, _options, _cancel) = (trained, options, cancel);
            var asked = new SurveyOptions { Measures = [], Data = options.Data, Reading = options.Reading, Prompt = options.Prompt, ParseSpecial = options.ParseSpecial, TaskSettings = options.TaskSettings };
            _data = SurveyData.Open(trained.Config, trained.HasTokenizer ? trained.Tokenizer : null, asked, note, cancel);
            try
            {
                if (_data.Task is PreferenceLearning)
                {
                    throw UserException.Usage($"{_data.Name}: its losses are of pairs, not of places; name a text with --data, or --prompt");
                }

                (_shape, _rows) = Rows(_data, options.Rows, Places);
                _score = new OutputScore(_data.Task.NewScore(), onlyLast: options.Prompt is not null) { Tokens = options.Tokens, IsReference = true };
                _evaluator = new Evaluator(trained.Model, _data.Task, _shape, _rows, default, null, ReadsLogits ? _score : _data.Task.NewScore(), []);
                _plain = Take([]);
                (_before, _score.IsReference) = (_score.Last, false);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        private bool ReadsLogits => _trained.Config.Model.Outputs == 0;

        public InterventionResult With(IReadOnlyList<EditConfig> edits)
        {
            using ReadyEdits ready = ReadyEdits.ForRows(_trained, edits, _data.Task, _shape, _rows, _cancel);
            _score.Tokens = _options.Tokens;
            (Outcome plain, Outcome edited) = (_plain, Take(ready.Editors));
            if (_options is { Prompt: not null, Tokens.Count: 0 })
            {
                double[] after = _score.Last;
                int[] shown = [.. Top(_before).Concat(Top(after)).Distinct()];
                (plain, edited, _score.Tokens) = (plain with { Probabilities = [.. shown.Select(v => _before[v])] }, edited with { Probabilities = [.. shown.Select(v => after[v])] }, shown);
            }

            Outcome[] controls = [.. Enumerable.Range(0, _options.Controls).Select(i => Take(ready.Controls(GaussianSource.Mix(_options.Seed, (ulong)i))))];
            return new InterventionResult
            {
                Data = _data.Name, Rows = _rows, Places = plain.Places, ComparedPlaces = _score.Compared, Plain = plain, Edited = edited, Controls = controls, Unit = _data.Task.Unit.Short,
                Tokens = [.. _score.Tokens.Select(token => new ChosenToken(token, _trained.HasTokenizer ? _trained.Tokenizer.Describe(token) : _data.Task.Symbol(token)))],
            };
        }

        public void Dispose()
        {
            _evaluator?.Dispose();
            _data.Dispose();
        }

        private Outcome Take(IReadOnlyList<ITapEditor> editors)
        {
            Evaluation found = _evaluator.Run(new TapSet(ReadsLogits ? [_score] : [], editors), part: true, _cancel);
            return new Outcome(found.Tokens > 0 ? found.Loss : null, ReadsLogits ? _score.Probabilities : [], ReadsLogits && !_score.IsReference ? _score.Divergence : null, found.Tokens);
        }

        private static IEnumerable<int> Top(double[] distribution) => Enumerable.Range(0, distribution.Length).OrderByDescending(v => distribution[v]).ThenBy(v => v).Take(Shown);
    }
}
