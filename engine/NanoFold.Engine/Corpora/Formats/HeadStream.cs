namespace NanoFold.Engine.Corpora.Formats;

/// <summary>A stream whose first bytes can be looked at before it is read.</summary>
internal sealed class HeadStream : ForwardStream
{
    private const int MostBytes = 1 << 12;

    private readonly Stream _stream;
    private readonly byte[] _head = new byte[MostBytes];
    private readonly int _length;
    private int _read;

    public HeadStream(Stream stream)
    {
        _stream = stream;
        _length = stream.ReadAtLeast(_head, MostBytes, throwOnEndOfStream: false);
    }

    /// <summary>Its first bytes; fewer than looked for only where it has fewer.</summary>
    public ReadOnlySpan<byte> Head => _head.AsSpan(_read, _length - _read);

    /// <summary>Passes over bytes of the head.</summary>
    public void Skip(int bytes) => _read += bytes;

    public override int Read(Span<byte> buffer)
    {
        if (_read == _length)
        {
            return _stream.Read(buffer);
        }

        int count = Math.Min(buffer.Length, _length - _read);
        _head.AsSpan(_read, count).CopyTo(buffer);
        _read += count;
        return count;
    }
}
