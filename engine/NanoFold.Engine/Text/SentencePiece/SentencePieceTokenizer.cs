using System.Runtime.InteropServices;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// A tokenizer of SentencePiece. Its ids are those of the original; names of control pieces, which the original never finds, are found in prompts where asked, and the text
/// after one begins like any other, as in llama.cpp.
/// Bytes that are not UTF-8 stay where the model has bytes.
/// </summary>
public sealed class SentencePieceTokenizer : Tokenizer
{
    private const int KeptBytes = 1 << 20;
    private const double UnknownPenalty = 10;
    private const double UserDefinedMalus = 0.1;

    private readonly SentencePieceModel _model;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly ByteTrie _userDefined = new();
    private readonly ByteTrie _pieces = new();
    private readonly PieceSymbols? _symbols;
    private readonly int[]? _bytes;
    private readonly int _unknown;
    private readonly byte[][] _texts;
    private readonly bool _spacesBegin;
    private Worker? _idle;

    /// <summary>A tokenizer of a model that is at hand, for example that of another file.</summary>
    public SentencePieceTokenizer(SentencePieceModel model)
        : base(model.Pieces.Count, model.BosId < 0 ? null : model.BosId, model.EosId < 0 ? null : model.EosId)
    {
        _model = model;
        _unknown = model.Pieces.ToList().FindIndex(piece => piece.Kind == PieceKind.Unknown);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            SentencePiece piece = model.Pieces[id];
            if (piece.Kind is PieceKind.Normal or PieceKind.UserDefined)
            {
                _pieces.Add(piece.Text, id);
            }

            if (piece.Kind == PieceKind.UserDefined)
            {
                _userDefined.Add(piece.Text, id);
            }
        }

        _normalizer = new SentencePieceNormalizer(model, _userDefined);
        _symbols = model.Method == PieceMethod.Unigram ? null : new PieceSymbols(model);
        _bytes = model.ByteFallback ? BytePieces(model) : null;
        _texts = [.. model.Pieces.Select(TextOf)];
        _spacesBegin = !model.Pieces.Any(piece => HasSpaceWithin(piece.Text));
    }

    /// <inheritdoc/>
    public override string Name => $"sentencepiece {_model.Method.ToString().ToLowerInvariant()}";

    /// <summary>What it is made of.</summary>
    public SentencePieceModel Model => _model;

    /// <inheritdoc/>
    public override IReadOnlyList<SpecialToken> Specials =>
        [.. _model.Pieces.Select((piece, id) => (piece, id)).Where(entry => entry.piece.Kind == PieceKind.Control).Select(entry => new SpecialToken(entry.id, Encoding.UTF8.GetString(entry.piece.Text)))];

    /// <inheritdoc/>
    public override IReadOnlyList<int> PromptStart => _model.AddBos ? base.PromptStart : [];

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        // One worker with its memory of pieces is kept; a second thread that comes meanwhile gets a fresh one.
        Worker worker = Interlocked.Exchange(ref _idle, null) ?? new Worker(this);
        worker.Text.Clear();
        _normalizer.Apply(utf8, worker.Text);
        worker.Begin(ids);
        if (_symbols is null)
        {
            CutByLikelihood(worker.Text.Span, worker);
        }
        else
        {
            CutByMerges(worker.Text.Span, worker);
        }

        worker.Text.Trim(KeptBytes);
        worker.Bpe?.Trim();
        _idle = worker;
    }

    /// <inheritdoc/>
    public override int[] EncodeComplete(string text, bool around)
    {
        int[] ids = Encode(text);
        return around ? [.. Bos is { } bos ? [bos] : Array.Empty<int>(), .. ids, .. Eos is { } eos ? [eos] : Array.Empty<int>()] : ids;
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id)
    {
        CheckId(id);
        return _texts[id];
    }

    /// <inheritdoc/>
    public override string DecodeText(ReadOnlySpan<int> ids, bool names = false) => PieceDecoder.Decode(_model, ids, CheckId);

    /// <inheritdoc/>
    public override byte[] Serialize() => SentencePieceJson.Write(_model);

    /// <inheritdoc/>
    public override string Describe(int id) => _model.Pieces[id].Kind is PieceKind.Control or PieceKind.Unknown ? Encoding.UTF8.GetString(_model.Pieces[id].Text) : base.Describe(id);

    /// <inheritdoc/>
    internal override int CutBefore(ReadOnlySpan<byte> text) => 0;

    private static int[] BytePieces(SentencePieceModel model)
    {
        int[] bytes = new int[256];
        Array.Fill(bytes, -1);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            if (model.Pieces[id].Kind == PieceKind.Byte && ByteFallbackDecoder.ByteOf(model.Pieces[id].Text) is { } value)
            {
                bytes[value] = id;
            }
        }

        return bytes.Contains(-1) ? throw new FormatException("it falls back to bytes, but not every byte is a piece") : bytes;
    }

    private byte[] TextOf(SentencePiece piece) => piece.Kind switch
    {
        PieceKind.Control => [],
        PieceKind.Unknown => Encoding.UTF8.GetBytes(_model.UnknownSurface),
        PieceKind.Byte when ByteFallbackDecoder.ByteOf(piece.Text) is { } value => [value],
        _ => PieceDecoder.Unescaped(piece.Text),
    };

    // A part ends before U+2581 where no piece has one within: there every way ends and begins.
    private void CutByLikelihood(ReadOnlySpan<byte> text, Worker worker)
    {
        const int Part = 1 << 12;
        double sum = 0;
        for (int start = 0; start < text.Length;)
        {
            int end = _spacesBegin && text.Length - start > Part ? WordEnd(text, start + Part) : text.Length;
            ReadOnlySpan<byte> part = text[start..end];
            worker.Lattice.Cut(part, ref sum, worker.Path);
            for (int i = worker.Path.Count - 1; i >= 0; i--)
            {
                (int token, int from) = worker.Path[i];
                worker.Give(token, part[from..(i > 0 ? worker.Path[i - 1].Start : part.Length)]);
            }

            start = end;
        }
    }

    // Where U+2581 follows another character.
    private static int WordEnd(ReadOnlySpan<byte> text, int from)
    {
        for (int at = from; at < text.Length; at++)
        {
            if (text[at..].StartsWith(PieceDecoder.Space) && !text[..at].EndsWith(PieceDecoder.Space))
            {
                return at;
            }
        }

        return text.Length;
    }

    private static bool HasSpaceWithin(ReadOnlySpan<byte> piece) => WordEnd(piece, 1) < piece.Length;

    private void CutByMerges(ReadOnlySpan<byte> text, Worker worker)
    {
        PieceSymbols symbols = _symbols!;
        BpeWorker bpe = worker.Bpe!;
        int start = 0, count = 0, before = -1;
        for (int at = 0, length; at < text.Length; at += length)
        {
            int whole = _userDefined.Begins(text[at]) ? _userDefined.Longest(text[at..], out length) : Nothing(out length);
            int symbol = -1;
            if (whole < 0)
            {
                int point = CodePoints.Read(text, at, out length);
                symbol = symbols.Of(point, text.Slice(at, length));
            }

            if (count > 0 && (symbol < 0 || !symbols.Merges.MayMeet(before, symbol)))
            {
                Flush(text[start..at], count, worker);
                count = 0;
            }

            if (symbol < 0)
            {
                worker.Give(whole, text.Slice(at, length));
                continue;
            }

            start = count == 0 ? at : start;
            bpe.Grow(count + 1);
            bpe.Symbols(count + 1)[count++] = symbol;
            before = symbol;
        }

        if (count > 0)
        {
            Flush(text[start..], count, worker);
        }

        static int Nothing(out int length)
        {
            length = 0;
            return -1;
        }
    }

    private void Flush(ReadOnlySpan<byte> part, int count, Worker worker)
    {
        List<int> tokens = worker.Tokens;
        tokens.Clear();
        if (!worker.Bpe!.Memory.TryGet(part, tokens))
        {
            worker.Bpe.Merge(worker.Bpe.Symbols(count), tokens);
            worker.Bpe.Memory.Put(part, CollectionsMarshal.AsSpan(tokens));
        }

        foreach (int token in tokens)
        {
            worker.Give(token < Vocab ? token : -1, token < Vocab ? [] : _symbols!.TextOf(token));
        }
    }

    /// <summary>What one encoding needs.</summary>
    private sealed class Worker(SentencePieceTokenizer owner)
    {
        private List<int> _ids = [];
        private bool _afterUnknown;

        public ByteBuffer Text { get; } = new();

        public BpeWorker? Bpe { get; } = owner._symbols is { } symbols ? new BpeWorker(symbols.Merges) : null;

        public UnigramLattice Lattice { get; } = owner.NewLattice();

        public List<(int Token, int Start)> Path { get; } = [];

        public List<int> Tokens { get; } = [];

        public void Begin(List<int> ids) => (_ids, _afterUnknown) = (ids, false);

        /// <summary>A piece, or unknown text (−1): neighboring ones are one piece, or its bytes.</summary>
        public void Give(int token, ReadOnlySpan<byte> text)
        {
            if (token >= 0)
            {
                _ids.Add(token);
                _afterUnknown = false;
                return;
            }

            if (owner._bytes is { } bytes)
            {
                foreach (byte value in text)
                {
                    _ids.Add(bytes[value]);
                }
            }
            else if (!_afterUnknown)
            {
                _ids.Add(owner._unknown);
            }

            _afterUnknown = true;
        }
    }

    private UnigramLattice NewLattice()
    {
        IReadOnlyList<SentencePiece> pieces = _model.Pieces;
        float[] normal = [.. pieces.Where(piece => piece.Kind == PieceKind.Normal).Select(piece => piece.Score).DefaultIfEmpty()];
        float most = normal.Max(), unknown = normal.Min() - (float)UnknownPenalty;
        return new UnigramLattice(
            _pieces, (token, bytes) => pieces[token].Kind == PieceKind.UserDefined ? (bytes * most) - UserDefinedMalus : pieces[token].Score, unknown, single: true);
    }
}
