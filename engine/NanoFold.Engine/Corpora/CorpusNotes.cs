namespace NanoFold.Engine.Corpora;

/// <summary>What the user of a corpus should know: what of it was not read, or not read as it may be meant.</summary>
internal sealed class CorpusNotes
{
    private const int NamesShown = 3;

    private readonly string _name;
    private readonly CorpusOptions _options;
    private readonly List<Unread> _unread;
    private readonly IReadOnlyList<string> _twice;
    private readonly List<string> _invalid = [];
    private readonly Dictionary<string, long> _marks = [];
    private (long Count, long All) _without;
    private long _separators;

    public CorpusNotes(string name, CorpusOptions options, FoundFiles found)
    {
        _name = name;
        _options = options;
        _unread = [.. found.Unread];
        _twice = found.Twice;
    }

    /// <summary>A file was not read.</summary>
    public void Unread(string name, string reason) => _unread.Add(new Unread(name, reason));

    /// <summary>So many of a file's records have no text.</summary>
    public void Without(long count, long all) => _without = (_without.Count + count, _without.All + all);

    /// <summary>What was seen in a file that was read.</summary>
    /// <param name="name">The file.</param>
    /// <param name="scan">What was seen.</param>
    /// <param name="begin">Where the file's text begins in what was scanned.</param>
    public void Scanned(string name, TextScan scan, long begin)
    {
        if (scan.Invalid.Count > 0)
        {
            _invalid.Add(FormattableString.Invariant($"{name} ({scan.Invalid.Count}, the first at {scan.Invalid.First - begin})"));
        }

        if (scan.Mark is { } mark)
        {
            _marks[mark.Name] = _marks.GetValueOrDefault(mark.Name) + mark.Count;
        }

        _separators += scan.Separators;
    }

    /// <summary>The notes, a line each.</summary>
    /// <exception cref="UserException">Something was not read as it should and <see cref="CorpusOptions.Strict"/> refuses that.</exception>
    public IReadOnlyList<string> Finish()
    {
        var left = new List<string>();
        if (_unread.Count > 0)
        {
            left.Add($"{_name}: {(_unread.Count == 1 ? "1 file was" : Invariant($"{_unread.Count} files were"))} not read: {First([.. _unread.OrderBy(file => file.Name, StringComparer.Ordinal).Select(file => $"{file.Name} {file.Reason}")])}");
        }

        if (_invalid.Count > 0)
        {
            left.Add($"{_name}: holds bytes that are not UTF-8 and are kept as they are: {First(_invalid)}; if it is Latin-1, iconv -f LATIN1 -t UTF-8 converts it");
        }

        if (_without.Count > 0)
        {
            left.Add(Invariant($"{_name}: {_without.Count} of {_without.All} records were left out: they have no text in '{_options.Field ?? CorpusOptions.DefaultField}'"));
        }

        if (_options.Strict && left.Count > 0)
        {
            throw new UserException($"{left[0]} (refused by data.strict)");
        }

        if (_twice.Count > 0)
        {
            left.Add($"{_name}: holds the same file more than once, through links, and it is read as often: {First(_twice)}");
        }

        if (_marks.Count > 0)
        {
            (string mark, long count) = _marks.MaxBy(mark => mark.Value);
            left.Add(Invariant($"{_name}: holds {mark} {(count == 1 ? "once" : $"{count} times")}, which is learned letter by letter; if it ends documents, --separator '{mark}' cuts them there"));
        }

        if (_options.Separator is { Length: > 0 } separator && _separators == 0)
        {
            left.Add($"{_name}: the separator '{separator}' is nowhere in it");
        }

        return left;
    }

    private static string First(IReadOnlyList<string> items)
        => string.Join(", ", items.Take(NamesShown)) + (items.Count > NamesShown ? Invariant($" and {items.Count - NamesShown} more") : "");

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}

/// <summary>A file of a corpus that cannot be read.</summary>
/// <param name="Name">Its name, relative to the corpus' folder.</param>
/// <param name="Reason">Why, as the rest of a sentence: <c>is a zip archive</c>.</param>
internal sealed record Unread(string Name, string Reason);

/// <summary>A file cannot be read as text.</summary>
/// <param name="reason">Why, as the rest of a sentence.</param>
/// <param name="advice">What to do.</param>
internal sealed class UnreadTextException(string reason, string advice) : Exception(reason)
{
    public string Advice => advice;
}
