namespace NanoFold.Engine.Text;

/// <summary>Bytes that grow, kept for the next text once they are cleared.</summary>
internal sealed class ByteBuffer
{
    private byte[] _bytes = new byte[64];

    public int Count { get; private set; }

    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Count);

    public void Clear() => Count = 0;

    /// <summary>Lets go of what only a very long text needed.</summary>
    public void Trim(int bytes)
    {
        if (_bytes.Length > bytes)
        {
            _bytes = new byte[64];
        }

        Count = 0;
    }

    public void Shorten(int bytes) => Count -= bytes;

    public void Add(byte value)
    {
        if (Count == _bytes.Length)
        {
            Grow(1);
        }

        _bytes[Count++] = value;
    }

    public void Add(ReadOnlySpan<byte> values)
    {
        if (values.Length > _bytes.Length - Count)
        {
            Grow(values.Length);
        }

        values.CopyTo(_bytes.AsSpan(Count));
        Count += values.Length;
    }

    /// <summary>The UTF-8 of a code point.</summary>
    public void AddCodePoint(int point)
    {
        if (point < 0x80)
        {
            Add((byte)point);
            return;
        }

        Span<byte> bytes = stackalloc byte[4];
        Add(bytes[..CodePoints.Write(point, bytes)]);
    }

    private void Grow(int more) => Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(_bytes.Length * 2L, (long)Count + more)));
}
