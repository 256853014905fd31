using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>Some rows of what a model is looked at on, and how its tokens read.</summary>
public sealed class SampleText : TokenWords
{
    private SampleText(SurveyData data, Tokenizer? tokenizer, IReadOnlyList<int[]> rows)
        : base(tokenizer, data) => (Name, Rows) = (data.Name, rows);

    /// <summary>For messages.</summary>
    public string Name { get; }

    /// <summary>Rows of tokens, evenly spaced over those that there are.</summary>
    public IReadOnlyList<int[]> Rows { get; }

    /// <summary>Takes rows of a run's own text or task, or of what the options name.</summary>
    /// <param name="trained">The model.</param>
    /// <param name="options">Data, prompt or task.</param>
    /// <param name="tokens">About how many.</param>
    /// <param name="note">Told, in a line, what takes time; or null.</param>
    /// <param name="cancel">Ends what takes time.</param>
    /// <exception cref="UserException">The model cannot read it.</exception>
    public static SampleText Open(TrainedModel trained, SurveyOptions options, int tokens, Action<string>? note, CancellationToken cancel)
    {
        Tokenizer? tokenizer = trained.Config.Task.IsText ? trained.Tokenizer : null;
        SurveyData data = SurveyData.Open(trained.Config, tokenizer, options, note, cancel);
        try
        {
            var fields = data.Task.Fields(data.Context);
            if (!fields.Any(field => field.Name == BatchField.Tokens))
            {
                throw new UserException($"{data.Name} has no tokens, so that there are no words in it");
            }

            long all = data.Task.Rows(TaskSplit.Probe, data.Context), taken = Math.Clamp(tokens / data.Context, 1, all);
            // After the end of a text nothing is asked for.
            var row = new BatchRows(fields, 1);
            var rows = new List<int[]>();
            for (long number = 0; number < taken; number++)
            {
                row.Fill(data.Task, TaskSplit.Probe, number, taken, all);
                int length = tokenizer is null ? data.Context : Math.Min(data.Context, row.Integers(BatchField.Targets).LastIndexOfAnyExcept(-1) + 2);
                rows.Add(row.Integers(BatchField.Tokens)[..length].ToArray());
            }

            return new SampleText(data, tokenizer, rows);
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }
}
