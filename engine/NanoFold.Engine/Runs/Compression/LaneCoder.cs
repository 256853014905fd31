using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// What is coded, in either direction: a symbol of a lane after the other, in blocks with check sums. Whoever predicts is told the tokens as they come and cannot tell the directions apart, so that
/// both take the same way.
/// </summary>
internal abstract class LaneCoder(IReadOnlyList<Lane> lanes, Tokenizer tokenizer)
{
    /// <summary>A block ends with the step in which it has so many bytes of the text.</summary>
    public const int BlockBytes = 1 << 16;

    /// <summary>Bytes that follow one escape, at most.</summary>
    protected const int MostRaw = 256;

    private Checksum _sum = new();
    private int _inBlock;

    public IReadOnlyList<Lane> Lanes { get; } = lanes;

    /// <summary>Tokens, and bytes without one, so far.</summary>
    public long Symbols { get; private set; }

    /// <summary>Bytes that no token stood for.</summary>
    public long RawBytes { get; private set; }

    /// <summary>Bytes of the text so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>−log₂ of the model's probabilities of the tokens, before they were made whole numbers.</summary>
    public double CrossEntropyBits { get; private set; }

    /// <summary>Where the bits of the text went.</summary>
    public BitCurve? Curve { get; init; }

    protected Tokenizer Tokenizer { get; } = tokenizer;

    /// <summary>Codes the next token of a lane; −1 where the lane ended without one.</summary>
    /// <param name="number">Of the lane, which is not complete.</param>
    /// <param name="frequencies">Of its next token.</param>
    /// <param name="logits">Of which these were made.</param>
    public int Next(int number, TokenFrequencies frequencies, ReadOnlySpan<float> logits)
    {
        Lane lane = Lanes[number];
        while (!lane.IsComplete)
        {
            ulong escape = lane.Escape(frequencies.Total), total = frequencies.Total + escape;
            int token = Symbol(number, frequencies, escape);
            Symbols++;
            if (token >= 0)
            {
                CrossEntropyBits += Curve is null ? 0 : frequencies.Bits(token, logits);
                Count(number, Tokenizer.BytesOf(token), isEscape: false, Math.Log2((double)total / frequencies[token]));
                return token;
            }

            ReadOnlySpan<byte> raw = Raw(number);
            RawBytes += raw.Length;
            Count(number, raw, isEscape: true, Math.Log2((double)total / escape) + (8.0 * (raw.Length + 1)));
        }

        return -1;
    }

    /// <summary>A token of every lane was coded: a block may end here.</summary>
    public void EndStep()
    {
        bool isLast = Lanes.All(lane => lane.IsComplete);
        if (_inBlock >= BlockBytes || (isLast && _inBlock > 0))
        {
            EndBlock(_sum.Value, isLast);
            _sum = new Checksum();
            _inBlock = 0;
        }
    }

    /// <summary>The next token, or −1 for an escape, whose frequency comes after those of the tokens.</summary>
    protected abstract int Symbol(int number, TokenFrequencies frequencies, ulong escape);

    /// <summary>After an escape: from 1 to <see cref="MostRaw"/> bytes as they are.</summary>
    protected abstract ReadOnlySpan<byte> Raw(int number);

    /// <summary>Ends a block whose bytes, in the order of coding, have this check sum.</summary>
    protected abstract void EndBlock(uint sum, bool isLast);

    /// <summary>The bytes of a symbol.</summary>
    protected virtual void Coded(int number, ReadOnlySpan<byte> bytes)
    {
    }

    private void Count(int number, ReadOnlySpan<byte> bytes, bool isEscape, double bits)
    {
        Lane lane = Lanes[number];
        Coded(number, bytes);
        _sum.Add(bytes);
        _inBlock += bytes.Length;
        int before = lane.Coded;
        lane.Count(bytes.Length, isEscape);
        Curve?.Add(lane.Begin + before, Bytes, lane.Coded - before, bits);
        Bytes += lane.Coded - before;
    }
}

/// <summary>Codes the symbols of lanes into blocks.</summary>
/// <param name="lanes">As they are cut.</param>
/// <param name="tokenizer">Whose tokens these are.</param>
/// <param name="symbols">Of each lane, as <see cref="LosslessTokens"/> gives them.</param>
/// <param name="write">Gets each block: what was coded, the check sum of the bytes that it stands for, and whether it is the last.</param>
internal sealed class LaneEncoder(IReadOnlyList<Lane> lanes, Tokenizer tokenizer, IReadOnlyList<List<int>> symbols, Action<byte[], uint, bool> write)
    : LaneCoder(lanes, tokenizer)
{
    private readonly RangeEncoder _ranges = new();
    private readonly int[] _next = new int[lanes.Count];
    private readonly byte[] _raw = new byte[MostRaw];

    protected override int Symbol(int number, TokenFrequencies frequencies, ulong escape)
    {
        int symbol = symbols[number][_next[number]];
        ulong total = frequencies.Total + escape;
        if (symbol < 0)
        {
            _ranges.Encode(frequencies.Total, escape, total);
            return -1;
        }

        _next[number]++;
        _ranges.Encode(frequencies.Start(symbol), frequencies[symbol], total);
        return symbol;
    }

    protected override ReadOnlySpan<byte> Raw(int number)
    {
        List<int> own = symbols[number];
        int count = 0;
        while (count < MostRaw && _next[number] < own.Count && own[_next[number]] < 0)
        {
            _raw[count++] = (byte)LosslessTokens.Raw(own[_next[number]++]);
        }

        _ranges.Encode((ulong)(count - 1), 1, MostRaw);
        foreach (byte value in _raw.AsSpan(0, count))
        {
            _ranges.Encode(value, 1, 256);
        }

        return _raw.AsSpan(0, count);
    }

    protected override void EndBlock(uint sum, bool isLast) => write(_ranges.Finish(), sum, isLast);
}

/// <summary>Reads the symbols of lanes out of blocks.</summary>
/// <param name="lanes">As they were cut.</param>
/// <param name="tokenizer">Whose tokens these are.</param>
/// <param name="blocks">In their order; at least one.</param>
/// <param name="name">Of the file, for messages.</param>
internal sealed class LaneDecoder(IReadOnlyList<Lane> lanes, Tokenizer tokenizer, IReadOnlyList<PackedBlock> blocks, string name) : LaneCoder(lanes, tokenizer)
{
    private readonly MemoryStream[] _texts = [.. lanes.Select(_ => new MemoryStream())];
    private readonly byte[] _raw = new byte[MostRaw];
    private RangeDecoder _ranges = new(blocks[0].Coded);
    private int _block;

    /// <summary>What the lanes are, one after the other.</summary>
    public void WriteTo(Stream target)
    {
        for (int i = 0; i < _texts.Length; i++)
        {
            target.Write(_texts[i].GetBuffer(), Lanes[i].Before, Lanes[i].Length);
        }
    }

    protected override int Symbol(int number, TokenFrequencies frequencies, ulong escape)
    {
        ulong total = frequencies.Total + escape, place = _ranges.Find(total);
        if (place >= frequencies.Total)
        {
            _ranges.Take(frequencies.Total, escape, total);
            return -1;
        }

        int token = frequencies.Find(place, out ulong start);
        _ranges.Take(start, frequencies[token], total);
        return token;
    }

    protected override ReadOnlySpan<byte> Raw(int number)
    {
        int count = Take(MostRaw) + 1;
        for (int i = 0; i < count; i++)
        {
            _raw[i] = (byte)Take(256);
        }

        return _raw.AsSpan(0, count);
    }

    protected override void Coded(int number, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Lanes[number].Left)
        {
            throw Otherwise();
        }

        _texts[number].Write(bytes);
    }

    protected override void EndBlock(uint sum, bool isLast)
    {
        if (sum != blocks[_block].Sum || isLast != (_block == blocks.Count - 1))
        {
            throw Otherwise();
        }

        if (!isLast)
        {
            _ranges = new RangeDecoder(blocks[++_block].Coded);
        }
    }

    private int Take(int total)
    {
        ulong place = _ranges.Find((ulong)total);
        _ranges.Take(place, 1, (ulong)total);
        return (int)place;
    }

    // The file is sound, so the predictions were others.
    private UserException Otherwise() => new(
        $"{name}: block {_block + 1} of {blocks.Count} comes out as another text than was coded, though the file is sound: the model's numbers are others here. Decompress with the version of the program and on the kind of processor that compressed it, or compress with --portable");
}
