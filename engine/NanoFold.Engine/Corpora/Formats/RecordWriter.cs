namespace NanoFold.Engine.Corpora.Formats;

/// <summary>Takes the documents of a file that holds records.</summary>
/// <param name="spool">Where their text goes.</param>
internal sealed class RecordWriter(TextSpool spool)
{
    private readonly List<(long From, long To)> _documents = [];
    private volatile bool _isClosed;

    /// <summary>Where the documents lie; none of them is empty.</summary>
    public IReadOnlyList<(long From, long To)> Documents => _documents;

    /// <summary>Records, those without text included.</summary>
    public long Count { get; private set; }

    /// <summary>Records that have no text.</summary>
    public long Without { get; private set; }

    /// <summary>Whether no record had a text, not even an empty one.</summary>
    public bool IsEmpty => Count == Without;

    /// <summary>Nothing can be added any more.</summary>
    public void Close() => _isClosed = true;

    public void Add(ReadOnlySpan<byte> text)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        Count++;
        if (text.Length > 0)
        {
            long from = spool.Length;
            spool.Write(text);
            _documents.Add((from, spool.Length));
        }
    }

    public void AddNone()
    {
        Count++;
        Without++;
    }
}
