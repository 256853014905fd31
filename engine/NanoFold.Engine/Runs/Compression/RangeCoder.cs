namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// Arithmetic coding by ranges (G. N. N. Martin, "Range encoding", 1979): an interval of 64 bits is cut in proportion to whole numbers, and its upper byte is written as soon as it
/// is settled. At least 2⁵⁶ of the interval are left for a symbol, so that frequencies that add up to 2⁴⁸ cost less than 2⁻⁸ of a bit more than their logarithms, and on average far less.
/// </summary>
internal sealed class RangeEncoder
{
    private const ulong Least = 1UL << 56;

    private byte[] _bytes = new byte[1 << 10];
    private int _count;
    private ulong _low;
    private ulong _range = ulong.MaxValue;

    /// <summary>Codes a symbol that has the frequencies [start, start + frequency) of a total of at most 2⁵⁶.</summary>
    public void Encode(ulong start, ulong frequency, ulong total)
    {
        ulong part = _range / total, added = part * start;
        Add(added);
        _range = part * frequency;
        while (_range < Least)
        {
            Put((byte)(_low >> 56));
            _low <<= 8;
            _range <<= 8;
        }
    }

    /// <summary>What was coded since the last call, in as few bytes as decode to it: one settles the rest, and zeros at the end are left out.</summary>
    public byte[] Finish()
    {
        Add(Least - 1);
        Put((byte)(_low >> 56));
        while (_count > 0 && _bytes[_count - 1] == 0)
        {
            _count--;
        }

        byte[] done = _bytes.AsSpan(0, _count).ToArray();
        (_count, _low, _range) = (0, 0, ulong.MaxValue);
        return done;
    }

    // What passes 64 bits is carried into what was written.
    private void Add(ulong value)
    {
        _low += value;
        for (int i = _count - 1; _low < value && i >= 0 && ++_bytes[i] == 0; i--)
        {
        }
    }

    private void Put(byte value)
    {
        if (_count == _bytes.Length)
        {
            Array.Resize(ref _bytes, 2 * _count);
        }

        _bytes[_count++] = value;
    }
}

/// <summary>Reads what <see cref="RangeEncoder"/> wrote; zeros follow its end.</summary>
internal sealed class RangeDecoder
{
    private const ulong Least = 1UL << 56;

    private readonly byte[] _bytes;
    private int _next;
    private ulong _code;
    private ulong _range = ulong.MaxValue;

    public RangeDecoder(byte[] bytes)
    {
        _bytes = bytes;
        for (int i = 0; i < sizeof(ulong); i++)
        {
            Shift();
        }
    }

    /// <summary>A frequency of the next symbol, less than the total.</summary>
    public ulong Find(ulong total) => Math.Min(_code / (_range / total), total - 1);

    /// <summary>Goes on after the symbol that has the frequencies [start, start + frequency).</summary>
    public void Take(ulong start, ulong frequency, ulong total)
    {
        ulong part = _range / total;
        _code -= part * start;
        _range = part * frequency;
        while (_range < Least)
        {
            Shift();
            _range <<= 8;
        }
    }

    private void Shift() => _code = (_code << 8) | (_next < _bytes.Length ? _bytes[_next++] : 0u);
}
