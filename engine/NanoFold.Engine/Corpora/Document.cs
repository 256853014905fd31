using System.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>A named piece of text in UTF-8, in a file or in memory. Bytes are taken as they are.</summary>
public sealed class Document
{
    private readonly ReadOnlyMemory<byte> _content;
    private readonly string? _path;
    private readonly int _skipped;

    /// <summary>A document in memory.</summary>
    public Document(string name, ReadOnlyMemory<byte> content)
    {
        Name = name;
        Bytes = content.Length;
        _content = content;
    }

    /// <summary>A document in memory.</summary>
    public Document(string name, string content)
        : this(name, Encoding.UTF8.GetBytes(content))
    {
    }

    /// <summary>A file from byte <paramref name="skipped"/> (after its byte order mark) on.</summary>
    internal Document(SourceFile file, int skipped)
    {
        Name = file.Path;
        Bytes = file.Bytes - skipped;
        _path = file.Path;
        _skipped = skipped;
    }

    /// <summary>The file's path, or what the text is about.</summary>
    public string Name { get; }

    /// <summary>Its length.</summary>
    public long Bytes { get; }

    /// <summary>Fills <paramref name="buffer"/> with the bytes from <paramref name="offset"/> on.</summary>
    /// <exception cref="UserException">The file cannot be read, or became shorter.</exception>
    public void Read(long offset, Span<byte> buffer)
    {
        using Stream stream = Open(offset);
        Fill(stream, buffer);
    }

    /// <summary>A stream that begins at <paramref name="offset"/>.</summary>
    /// <exception cref="UserException">The file cannot be opened.</exception>
    internal Stream Open(long offset)
    {
        if (_path is null)
        {
            return new MemoryStream(_content[(int)offset..].ToArray(), writable: false);
        }

        try
        {
            var stream = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
            stream.Position = offset + _skipped;
            return stream;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{Name}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Fills all of <paramref name="buffer"/> from a stream of this document.</summary>
    internal void Fill(Stream stream, Span<byte> buffer)
    {
        try
        {
            stream.ReadExactly(buffer);
        }
        catch (EndOfStreamException e)
        {
            throw new UserException($"{Name}: became shorter while it was read: run again", e);
        }
        catch (IOException e)
        {
            throw new UserException($"{Name}: cannot be read: {e.Message}", e);
        }
    }
}
