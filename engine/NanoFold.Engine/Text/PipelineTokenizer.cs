using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// A tokenizer of another program, from a <c>tokenizer.json</c>: added tokens are found, the text between them is normalized, cut into pieces, and each piece becomes
/// tokens of a model. Its ids are those of Hugging Face's tokenizers; the file stays as it is.
/// </summary>
/// <remarks>Normalizing and prefixes may change a text, so that decoding gives another one back; bytes that are not UTF-8 stay where the model has bytes.</remarks>
public sealed class PipelineTokenizer : Tokenizer
{
    private readonly Pipeline _pipeline;
    private readonly Stage _start;
    private readonly AddedTokens _raw;
    private readonly AddedTokens _normalized;
    private readonly Dictionary<int, AddedToken> _added;
    private readonly Lazy<byte[][]> _bytes;
    private readonly Lazy<bool> _mayCut;
    private readonly Lazy<byte[]> _source;
    private EncodeState? _idle;

    internal PipelineTokenizer(Pipeline pipeline)
        : base(pipeline.Tokens.Length, pipeline.Bos, pipeline.Eos)
    {
        _pipeline = pipeline;
        for (int i = 0; i < pipeline.Stages.Count; i++)
        {
            pipeline.Stages[i].Slot = i;
            pipeline.Stages[i].Next = i + 1 < pipeline.Stages.Count ? pipeline.Stages[i + 1] : null!;
        }

        _start = pipeline.Stages[0];
        _added = pipeline.Added.ToDictionary(token => token.Id);
        _raw = new AddedTokens([.. pipeline.Added.Where(token => !token.Normalized).Select(token => (token, Encoding.UTF8.GetBytes(token.Content)))], pipeline.FirstAdded);
        _normalized = new AddedTokens([.. pipeline.Added.Where(token => token.Normalized).Select(token => (token, NormalizedOf(token.Content)))]);
        _bytes = new Lazy<byte[][]>(() => [.. pipeline.Tokens.Select((token, id) => token is null || (_added.TryGetValue(id, out AddedToken? added) && added.Special) ? [] : MiddleOf(token))]);
        _source = new Lazy<byte[]>(pipeline.Source);
        _mayCut = new Lazy<bool>(MayCutAfterLetters);
    }

    /// <inheritdoc/>
    public override string Name => _pipeline.Kind;

    /// <inheritdoc/>
    public override IReadOnlyList<SpecialToken> Specials => [.. _pipeline.Added.Where(token => token.Special).Select(token => new SpecialToken(token.Id, token.Content))];

    /// <inheritdoc/>
    public override IReadOnlyList<int> PromptStart => _pipeline.Form.Before;

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> utf8, List<int> ids) => Encode(utf8, ids, specials: false);

    /// <inheritdoc/>
    public override void EncodePrompt(ReadOnlySpan<byte> utf8, List<int> ids) => Encode(utf8, ids, specials: true);

    /// <inheritdoc/>
    public override int[] EncodeComplete(string text, bool around)
    {
        var ids = new List<int>();
        EncodePrompt(Encoding.UTF8.GetBytes(text), ids);
        return _pipeline.Form.Apply(ids, around);
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id)
    {
        CheckId(id);
        return _bytes.Value[id];
    }

    /// <inheritdoc/>
    public override string DecodeText(ReadOnlySpan<int> ids, bool names = false)
    {
        var tokens = new List<byte[]>(ids.Length);
        foreach (int id in ids)
        {
            CheckId(id);
            if (_pipeline.Tokens[id] is { } token && (names || !_added.TryGetValue(id, out AddedToken? added) || !added.Special))
            {
                tokens.Add(Encoding.UTF8.GetBytes(token));
            }
        }

        if (_pipeline.Decoders.Count == 0)
        {
            return string.Join(' ', tokens.Select(Encoding.UTF8.GetString));
        }

        tokens = _pipeline.Decoders.Aggregate(tokens, (changed, decoder) => changed.Count == 0 ? changed : decoder.Decode(changed));
        return Encoding.UTF8.GetString([.. tokens.SelectMany(token => token)]);
    }

    /// <inheritdoc/>
    public override byte[] Serialize() => _source.Value;

    /// <inheritdoc/>
    public override string Describe(int id) => _added.TryGetValue(id, out AddedToken? token) ? token.Content : base.Describe(id);

    /// <summary>The id of a token as the file names it, or null.</summary>
    internal int? IdOf(string token) => Array.IndexOf(_pipeline.Tokens, token) is >= 0 and var id ? id : null;

    /// <summary>The same with other tokens that begin and end a document.</summary>
    internal PipelineTokenizer With(int? bos, int? eos) => new(_pipeline with { Bos = bos, Eos = eos, Source = () => OwnForm.With(_pipeline.Source(), bos, eos) });

    /// <inheritdoc/>
    internal override int CutBefore(ReadOnlySpan<byte> text) => _mayCut.Value ? LastLetterBeforeSpace(text) : 0;

    private void Encode(ReadOnlySpan<byte> utf8, List<int> ids, bool specials)
    {
        // One state with its memory of pieces is kept; a second thread that comes meanwhile gets a fresh one.
        EncodeState state = Interlocked.Exchange(ref _idle, null)
            ?? new EncodeState(_pipeline.Stages.Count, _pipeline.Merges is { } merges ? new BpeWorker(merges) : null);
        state.Ids = ids;
        AddedToken? token;
        for (int from = 0, free = 0; from < utf8.Length || free < utf8.Length;)
        {
            int start = utf8.Length, end = utf8.Length, next = utf8.Length;
            token = _raw.Any && (specials || _raw.HasPlain) ? _raw.Find(utf8, from, free, specials, out start, out end, out next) : null;
            if (start > free)
            {
                EncodeSegment(utf8[free..start], free == 0, specials, state);
            }

            if (token is null)
            {
                break;
            }

            ids.Add(token.Id);
            (from, free) = (next, end);
        }

        state.Trim();
        state.Ids = [];
        _idle = state;
    }

    private void EncodeSegment(ReadOnlySpan<byte> text, bool first, bool specials, EncodeState state)
    {
        (ByteBuffer buffer, ByteBuffer other) = state.Pair;
        foreach (Normalizer normalizer in _pipeline.Normalizers)
        {
            if (text.IsEmpty)
            {
                return;
            }

            if (!normalizer.Keeps(text))
            {
                buffer.Clear();
                normalizer.Apply(text, buffer);
                text = buffer.Span;
                (buffer, other) = (other, buffer);
            }
        }

        for (int from = 0, free = 0; from < text.Length || free < text.Length;)
        {
            int start = text.Length, end = text.Length, next = text.Length;
            AddedToken? token = _normalized.Any && (specials || _normalized.HasPlain) ? _normalized.Find(text, from, free, specials, out start, out end, out next) : null;
            if (start > free)
            {
                _start.Run(text[free..start], first && free == 0, state);
            }

            if (token is null)
            {
                break;
            }

            state.Ids.Add(token.Id);
            (from, free) = (next, end);
        }
    }

    private byte[] NormalizedOf(string content)
    {
        byte[] text = Encoding.UTF8.GetBytes(content);
        foreach (Normalizer normalizer in _pipeline.Normalizers.TakeWhile(_ => text.Length > 0))
        {
            var output = new ByteBuffer();
            normalizer.Apply(text, output);
            text = output.Span.ToArray();
        }

        return text;
    }

    private byte[] MiddleOf(string token)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(token);
        return _pipeline.Decoders.Count == 0 ? [(byte)' ', .. bytes] : _pipeline.Decoders.Aggregate(bytes, (changed, decoder) => decoder.Middle(changed));
    }

    private bool MayCutAfterLetters()
    {
        if (!_raw.MayCutAfterLetters || !_normalized.MayCutAfterLetters || !_pipeline.Normalizers.All(normalizer => normalizer.MayCutAfterLetters))
        {
            return false;
        }

        foreach (Stage stage in _pipeline.Stages)
        {
            if (!stage.MayCutAfterLetters(out bool always))
            {
                return false;
            }

            if (always)
            {
                return true;
            }
        }

        return false;
    }
}
