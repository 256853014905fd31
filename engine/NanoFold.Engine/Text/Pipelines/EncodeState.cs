namespace NanoFold.Engine.Text;

/// <summary>What encoding one text needs besides the tokenizer: buffers and memories that are kept for the next. For one thread at a time.</summary>
internal sealed class EncodeState(int slots, BpeWorker? bpe)
{
    private const int KeptBytes = 1 << 20;

    private readonly ByteBuffer[] _buffers = [.. Enumerable.Range(0, slots + 2).Select(_ => new ByteBuffer())];
    private readonly PatternTail[] _tails = [.. Enumerable.Range(0, slots).Select(_ => new PatternTail())];

    /// <summary>Where ids go.</summary>
    public List<int> Ids { get; set; } = [];

    /// <summary>Merges symbols; of BPE only.</summary>
    public BpeWorker? Bpe { get; } = bpe;

    /// <summary>Cuts by likelihood; of Unigram only, made by its stage.</summary>
    public UnigramLattice? Lattice { get; set; }

    /// <summary>What it found.</summary>
    public List<(int Token, int Start)> Path { get; } = [];

    /// <summary>The buffer of a stage, empty.</summary>
    public ByteBuffer Buffer(int slot)
    {
        ByteBuffer buffer = _buffers[slot];
        buffer.Clear();
        return buffer;
    }

    /// <summary>Two buffers between which normalizers hand a text on.</summary>
    public (ByteBuffer First, ByteBuffer Second) Pair => (_buffers[^2], _buffers[^1]);

    /// <summary>What the search of a stage remembers.</summary>
    public PatternTail Tail(int slot) => _tails[slot];

    /// <summary>Lets go of what a very long text needed.</summary>
    public void Trim()
    {
        foreach (ByteBuffer buffer in _buffers)
        {
            buffer.Trim(KeptBytes);
        }

        Bpe?.Trim();
        if (Path.Capacity > KeptBytes)
        {
            Path.Clear();
            Path.Capacity = 0;
            Lattice = null;
        }
    }
}
