namespace NanoFold.Engine.Corpora;

/// <summary>A stream whose first bytes can be looked at before it is read; it is read once, from its begin to its end.</summary>
internal sealed class HeadStream : Stream
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

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Passes over bytes of the head.</summary>
    public void Skip(int bytes) => _read += bytes;

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

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

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stream.Dispose();
        }

        base.Dispose(disposing);
    }
}
