namespace NanoFold.Engine.Corpora;

/// <summary>Text in UTF-8 that can be read from any place, as often as is wanted: documents lie in it.</summary>
/// <param name="name">What messages call it.</param>
internal abstract class StoredText(string name)
{
    public string Name { get; } = name;

    /// <summary>A stream that begins at <paramref name="offset"/> and can be moved.</summary>
    /// <exception cref="UserException">The file cannot be opened.</exception>
    public abstract Stream Open(long offset);

    /// <summary>Fills all of <paramref name="buffer"/> from a stream of this text.</summary>
    /// <exception cref="UserException">The file cannot be read, or became shorter.</exception>
    public void Fill(Stream stream, Span<byte> buffer)
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

/// <summary>Text in memory.</summary>
internal sealed class MemoryText(string name, ReadOnlyMemory<byte> content) : StoredText(name)
{
    public override Stream Open(long offset) => new MemoryStream(content[(int)offset..].ToArray(), writable: false);
}

/// <summary>A file that is text as it is.</summary>
internal sealed class FileText(SourceFile file) : StoredText(file.Path)
{
    public override Stream Open(long offset)
    {
        try
        {
            Stream stream = file.Open();
            stream.Position = offset;
            return stream;
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw new UserException($"{Name}: cannot be read: {e.Message}", e);
        }
    }
}
