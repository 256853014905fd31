using System.IO.Compression;

namespace NanoFold.Engine.Corpora.Formats;

/// <summary>
/// Gzip that must be complete. <see cref="GZipStream"/> takes a file that was cut short for one that ends there; so a member of known content is added to its
/// end, which comes out only where all members before it are whole.
/// </summary>
internal sealed class GzipText : ForwardStream
{
    private static readonly byte[] s_end = [.. "the end of the file: "u8, .. Guid.NewGuid().ToByteArray()];

    private readonly GZipStream _text;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _begin;
    private int _length;

    public GzipText(Stream packed)
    {
        _text = new GZipStream(new Chain(packed, new MemoryStream(Pack(s_end))), CompressionMode.Decompress);
    }

    public override int Read(Span<byte> buffer)
    {
        // What may be the end is held back.
        while (_length - _begin <= s_end.Length)
        {
            _buffer.AsSpan(_begin, _length - _begin).CopyTo(_buffer);
            (_begin, _length) = (0, _length - _begin);
            int read = Unpack(_buffer.AsSpan(_length));
            if (read == 0)
            {
                return _buffer.AsSpan(0, _length).SequenceEqual(s_end) ? 0 : throw new InvalidDataException("It is gzip that was cut short or is followed by something else.");
            }

            _length += read;
        }

        int count = Math.Min(buffer.Length, _length - _begin - s_end.Length);
        _buffer.AsSpan(_begin, count).CopyTo(buffer);
        _begin += count;
        return count;
    }

    // What .NET says of damaged data speaks of archives.
    private int Unpack(Span<byte> buffer)
    {
        try
        {
            return _text.Read(buffer);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException("It is gzip that is damaged or was cut short.", e);
        }
    }

    private static byte[] Pack(byte[] text)
    {
        using var packed = new MemoryStream();
        using (var stream = new GZipStream(packed, CompressionLevel.Fastest))
        {
            stream.Write(text);
        }

        return packed.ToArray();
    }

    private sealed class Chain(Stream first, Stream second) : ForwardStream
    {
        public override int Read(Span<byte> buffer)
        {
            int read = first.Read(buffer);
            return read > 0 ? read : second.Read(buffer);
        }
    }
}
