using System.Text;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>Some rows of what a model is looked at on, and how its tokens read.</summary>
public sealed class SampleText : IDisposable
{
    private readonly SurveyData _data;
    private readonly Tokenizer? _tokenizer;

    private SampleText(SurveyData data, Tokenizer? tokenizer, IReadOnlyList<int[]> rows) => (_data, _tokenizer, Rows) = (data, tokenizer, rows);

    /// <summary>For messages.</summary>
    public string Name => _data.Name;

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

    /// <summary>How a token reads; white space is made visible.</summary>
    public string Read(int token)
    {
        string text = _tokenizer?.Describe(token) ?? _data.Task.Symbol(token);
        return text.Replace(" ", "␣", StringComparison.Ordinal).Replace("\n", "⏎", StringComparison.Ordinal).Replace("\r", "␍", StringComparison.Ordinal).Replace("\t", "⇥", StringComparison.Ordinal);
    }

    /// <summary>The text of some tokens, in one line.</summary>
    public string Read(ReadOnlySpan<int> tokens)
    {
        string text = _tokenizer?.DecodeText(tokens) ?? string.Join(' ', tokens.ToArray().Select(_data.Task.Symbol));
        return text.Replace("\r", "", StringComparison.Ordinal).Replace('\n', '⏎').Replace('\t', ' ');
    }

    /// <summary>
    /// The tokens of a word: of a text with a space before it, as words mostly stand there, where that takes no more tokens than without; of a task the token that reads so.
    /// </summary>
    /// <exception cref="UserException">The task has no such word.</exception>
    public int[] WordOf(string word)
    {
        if (_tokenizer is not null)
        {
            int[] alone = _tokenizer.Encode(word), after = _tokenizer.Encode(" " + word);
            return after.Length <= alone.Length ? after : alone;
        }

        int token = Enumerable.Range(0, _data.Task.Vocab).Select(t => (int?)t).FirstOrDefault(t => _data.Task.Symbol(t!.Value) == word) ?? -1;
        return token >= 0 ? [token] : throw UserException.Usage($"'{word}' is no word of {_data.Name}; one is '{_data.Task.Symbol(_data.Task.Vocab / 2)}'");
    }

    /// <summary>All tokens of a prompt; where <paramref name="specials"/> are wanted, their names are these tokens.</summary>
    public int[] Encode(string text, bool specials = false) => (specials ? _tokenizer?.EncodePrompt(text) : _tokenizer?.Encode(Encoding.UTF8.GetBytes(text))) ?? [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).SelectMany(WordOf)];

    public void Dispose() => _data.Dispose();
}
