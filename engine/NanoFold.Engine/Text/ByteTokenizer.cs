namespace NanoFold.Engine.Text;

/// <summary>
/// A token per byte: ids 0 to 255 are the bytes. Where documents are marked there are two ids more,
/// <see cref="BpeTokenizer.BosName"/> (256) and <see cref="BpeTokenizer.EosName"/> (257).
/// </summary>
public sealed class ByteTokenizer : Tokenizer
{
    private static readonly byte[] s_bytes = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];

    /// <summary>256 symbols, or 258 with marks for the begin and the end of a document.</summary>
    public ByteTokenizer(bool documentMarks = false)
        : base(documentMarks ? 258 : 256, documentMarks ? 256 : null, documentMarks ? 257 : null)
    {
    }

    /// <inheritdoc/>
    public override string Name => "byte";

    /// <inheritdoc/>
    public override IReadOnlyList<SpecialToken> Specials => Bos is null ? [] : BpeModel.MarksAt(256);

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        ids.EnsureCapacity(ids.Count + utf8.Length);
        foreach (byte value in utf8)
        {
            ids.Add(value);
        }
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id)
    {
        CheckId(id);
        return id < 256 ? s_bytes.AsSpan(id, 1) : [];
    }

    /// <inheritdoc/>
    public override byte[] Serialize() => TokenizerJson.Write(BpeModel.OfBytes(Bos is not null));

    /// <inheritdoc/>
    public override string Describe(int id) =>
        id == Bos ? BpeTokenizer.BosName : id == Eos ? BpeTokenizer.EosName : base.Describe(id);
}
