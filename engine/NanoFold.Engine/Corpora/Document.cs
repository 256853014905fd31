using System.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>A named piece of text in UTF-8, in a file or in memory. Bytes are taken as they are.</summary>
public sealed class Document
{
    private readonly string _name;
    private readonly int _number;

    /// <summary>A document in memory.</summary>
    public Document(string name, ReadOnlyMemory<byte> content)
        : this(name, new MemoryText(name, content), 0, content.Length)
    {
    }

    /// <summary>A document in memory.</summary>
    public Document(string name, string content)
        : this(name, Encoding.UTF8.GetBytes(content))
    {
    }

    /// <summary>The bytes [<paramref name="from"/>, <paramref name="to"/>) of a text.</summary>
    /// <param name="name">The file's path.</param>
    /// <param name="text">Where it lies.</param>
    /// <param name="from">Where it begins.</param>
    /// <param name="to">Where it ends.</param>
    /// <param name="number">Which of the file's documents it is, from 1; 0 for the only one.</param>
    internal Document(string name, StoredText text, long from, long to, int number = 0)
    {
        _name = name;
        Text = text;
        From = from;
        Bytes = to - from;
        _number = number;
    }

    /// <summary>The file's path (and the document's number, where the file has several), or what the text is about.</summary>
    public string Name => _number == 0 ? _name : FormattableString.Invariant($"{_name}#{_number}");

    /// <summary>Its length.</summary>
    public long Bytes { get; }

    /// <summary>Where it lies.</summary>
    internal StoredText Text { get; }

    /// <summary>Where it begins in <see cref="Text"/>.</summary>
    internal long From { get; }

    /// <summary>Fills <paramref name="buffer"/> with the bytes from <paramref name="offset"/> on.</summary>
    /// <exception cref="UserException">The file cannot be read, or became shorter.</exception>
    public void Read(long offset, Span<byte> buffer)
    {
        using Stream stream = Open(offset);
        Fill(stream, buffer);
    }

    /// <summary>A stream that begins at <paramref name="offset"/>.</summary>
    /// <exception cref="UserException">The file cannot be opened.</exception>
    internal Stream Open(long offset) => Text.Open(From + offset);

    /// <summary>Fills all of <paramref name="buffer"/> from a stream of this document.</summary>
    internal void Fill(Stream stream, Span<byte> buffer) => Text.Fill(stream, buffer);
}
