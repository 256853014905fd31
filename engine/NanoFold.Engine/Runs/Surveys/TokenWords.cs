using System.Text;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>How the tokens of a model read, and which tokens a word is: by its tokenizer, or by the symbols of its task.</summary>
public class TokenWords : IDisposable
{
    private readonly Tokenizer? _tokenizer;
    private readonly SurveyData? _data;

    private protected TokenWords(Tokenizer? tokenizer, SurveyData? data) => (_tokenizer, _data) = (tokenizer, data);

    private LearningTask Task => _data!.Task;

    /// <summary>Those of a model; no text of it is opened.</summary>
    /// <exception cref="UserException">Its task cannot be opened.</exception>
    public static TokenWords Of(TrainedModel trained, CancellationToken cancel = default) => trained.Config.Task.IsText
        ? new TokenWords(trained.Tokenizer, null)
        : new TokenWords(null, SurveyData.Open(trained.Config, null, new SurveyOptions { Measures = [] }, null, cancel));

    /// <summary>How a token reads; white space and control characters are made visible.</summary>
    public string Read(int token) => Visible(_tokenizer?.Describe(token) ?? Task.Symbol(token)).Replace(' ', '␣');

    /// <summary>The text of some tokens, in one line.</summary>
    public string Read(ReadOnlySpan<int> tokens) => Visible((_tokenizer?.DecodeText(tokens) ?? string.Join(' ', tokens.ToArray().Select(Task.Symbol)))
        .Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\t', ' '));

    /// <summary>
    /// The tokens of a word: of a text with a space before it, as words mostly stand there, where that takes no more tokens than without; of a task the token that reads so.
    /// </summary>
    /// <exception cref="UserException">It is empty, or the task has no such word.</exception>
    public int[] WordOf(string word)
    {
        if (word.Length == 0)
        {
            throw UserException.Usage("'' is no word");
        }

        if (_tokenizer is not null)
        {
            int[] alone = _tokenizer.Encode(word), after = _tokenizer.Encode(" " + word);
            return after.Length <= alone.Length ? after : alone;
        }

        int token = Enumerable.Range(0, Task.Vocab).Select(t => (int?)t).FirstOrDefault(t => Task.Symbol(t!.Value) == word) ?? -1;
        return token >= 0 ? [token] : throw UserException.Usage($"'{word}' is no word of {_data!.Name}; one is '{Task.Symbol(Task.Vocab / 2)}'");
    }

    /// <summary>All tokens of a prompt.</summary>
    public int[] Encode(string text, bool specials = false) => (specials ? _tokenizer?.EncodePrompt(text) : _tokenizer?.Encode(Encoding.UTF8.GetBytes(text))) ?? [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).SelectMany(WordOf)];

    public void Dispose()
    {
        _data?.Dispose();
        GC.SuppressFinalize(this);
    }

    // A terminal would act on a control character; Unicode has a picture of each.
    private static string Visible(string text) => string.Concat(text.Select(letter => letter switch
    {
        '\n' => '⏎',
        '\r' => '␍',
        '\t' => '⇥',
        < ' ' => (char)('\u2400' + letter),
        '\u007f' => '\u2421',
        _ => char.IsControl(letter) ? '·' : letter,
    }));
}
