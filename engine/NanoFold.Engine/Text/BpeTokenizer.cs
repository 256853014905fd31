namespace NanoFold.Engine.Text;

/// <summary>
/// Byte-level byte pair encoding: text is cut into pieces (<see cref="PreTokenizer"/>), and inside a piece neighboring
/// tokens merge, the merge learned first taking precedence. Every byte is a token, so any bytes can be encoded.
/// Made by <see cref="BpeTrainer"/> or <see cref="Tokenizer.Load"/>. Source: Sennrich et al. 2016; Radford et al. 2019.
/// </summary>
public sealed class BpeTokenizer : Tokenizer
{
    /// <summary>The special token that begins a document.</summary>
    public const string BosName = "<|bos|>";

    /// <summary>The special token that ends a document.</summary>
    public const string EosName = "<|eos|>";

    private readonly BpeModel _model;
    private readonly MergeTable _merges;
    private readonly int[] _byteIds = new int[256];
    private readonly Dictionary<byte[], int>? _wholePieces;
    private BpeEncoder? _idle;

    internal BpeTokenizer(BpeModel model)
        : base(model.Tokens.Length, model.Bos, model.Eos)
    {
        _model = model;
        _merges = new MergeTable(model.Merges);
        _wholePieces = model.IgnoreMerges ? new(WordComparer.Instance) : null;
        for (int id = 0; id < model.Tokens.Length; id++)
        {
            byte[] token = model.Tokens[id];
            if (token.Length == 1)
            {
                _byteIds[token[0]] = id;
            }

            if (token.Length > 0)
            {
                _wholePieces?.TryAdd(token, id);
            }
        }
    }

    /// <inheritdoc/>
    public override string Name => "bpe";

    /// <inheritdoc/>
    public override IReadOnlyList<SpecialToken> Specials => _model.Specials;

    /// <summary>How many merges there are.</summary>
    public int Merges => _model.Merges.Length;

    internal BpeModel Model => _model;

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        // One encoder with its memory of pieces is kept; a second thread that comes meanwhile gets a fresh one.
        BpeEncoder encoder = Interlocked.Exchange(ref _idle, null) ?? new BpeEncoder(_merges, _byteIds, _wholePieces);
        while (!utf8.IsEmpty)
        {
            int length = PreTokenizer.Next(utf8);
            encoder.Encode(utf8[..length], ids);
            utf8 = utf8[length..];
        }

        _idle = encoder;
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id)
    {
        CheckId(id);
        return _model.Tokens[id];
    }

    /// <inheritdoc/>
    public override byte[] Serialize() => TokenizerJson.Write(_model);

    /// <inheritdoc/>
    public override string Describe(int id) =>
        _model.Specials.FirstOrDefault(special => special.Id == id)?.Name ?? base.Describe(id);
}
