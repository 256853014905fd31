using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Model;

/// <summary>
/// A model: a body, and a head over the vocabulary or, where <see cref="ModelShape.Outputs"/> says so, a read-out of real values. It owns its parameters; recordings
/// on tapes use them. What is recorded here in one call is the body's pass and the head's.
/// </summary>
public sealed class Transformer : IDisposable
{
    private readonly LanguageHead? _language;
    private readonly ReadOut? _readOut;
    private readonly TableStore _tables;

    /// <param name="config">The shape; resolved here, its vocabulary must be known.</param>
    /// <param name="backend">Where the parameters live.</param>
    /// <param name="seed">Of the initial values; null where all parameters are read from a file next.</param>
    /// <param name="type">Real type; double where gradients are checked.</param>
    public Transformer(ModelConfig config, Backend backend, ulong? seed = 1, DType type = DType.Float32)
        : this(config, backend, seed is { } drawn ? new SeedSource(drawn) : null, trains: null, type)
    {
    }

    /// <inheritdoc cref="Transformer(ModelConfig, Backend, ulong?, DType)"/>
    /// <param name="source">Of the initial values; null where all are written next.</param>
    /// <param name="trains">The names of the parameters that are trained; null for all or, with adapters, for theirs.</param>
    /// <exception cref="UserException">A pattern matches no parameter, or the source has not what is wanted.</exception>
    public Transformer(ModelConfig config, Backend backend, IParameterSource? source, NameGlobs? trains, DType type = DType.Float32)
    {
        Config = config = config.Resolve();
        if (config.HasVocab && config.Vocab < 1)
        {
            throw new ArgumentException("model.vocab: not known; take it from the tokenizer");
        }

        Store = new ParameterStore(backend, type);
        _tables = new TableStore(backend, type);
        Adapters = config.Adapters.Count == 0 ? null : new AdapterSet(config.Adapters);
        try
        {
            var builder = new ModuleBuilder(Store, _tables, config, Adapters);
            TapSet? edits = config.Edits.Count == 0 ? null : new TapSet([], config.Edits.Select(edit => edit.MakeEditor(_tables)));
            Body = new Body(builder.In("model"), config, edits);
            _language = config.Outputs > 0 ? null : new LanguageHead(builder, config, Body, edits);
            _readOut = config.Outputs > 0 ? new ReadOut(builder, config, edits) : null;
            RequirePoints(config.Edits);
            Adapters?.RequireMatches();
            Store.Allocate(source, trains ?? Adapters?.Names);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public ModelConfig Config { get; }

    public ParameterStore Store { get; }

    /// <summary>What is put around the model's linear layers, or null.</summary>
    public AdapterSet? Adapters { get; }

    public Backend Backend => Store.Backend;

    /// <summary>Everything but the head.</summary>
    public Body Body { get; }

    /// <summary>The head over the vocabulary.</summary>
    /// <exception cref="InvalidOperationException">The model has a read-out in its place.</exception>
    public LanguageHead Language => _language ?? throw new InvalidOperationException($"model.outputs = {Config.Outputs}: it has a read-out of real values, no head over the vocabulary");

    /// <summary>The read-out of real values.</summary>
    /// <exception cref="InvalidOperationException">The model has a head over the vocabulary in its place.</exception>
    public ReadOut ReadOut => _readOut ?? throw new InvalidOperationException("model.outputs = 0: it has a head over the vocabulary, no read-out of real values");

    /// <summary>Bytes besides the parameters: of tables, such as those of rotary positions.</summary>
    public long TableBytes => _tables.Bytes;

    /// <summary>Decoding goes on beyond the context without reading anything again.</summary>
    public bool SlidesOn => Config.Position != PositionKind.Learned && Config.LayerConfigs().All(layer => layer.Mixer.Traits(Config).SlidesOn);

    /// <summary>Whether decoding keeps keys and values that may be rounded to <see cref="Backend.CacheType"/>.</summary>
    public bool RoundsCache => Body.State(Backend, 1, 1).Any(layer => layer.Any(slot => slot.MayRound));

    /// <summary>Every point that the model declares, by its full name.</summary>
    public IEnumerable<TapPoint> TapPoints => [.. Body.TapPoints, .. _language?.TapPoints ?? ReadOut.TapPoints];

    /// <summary>Memory for decoding <paramref name="batch"/> sequences, at most <paramref name="chunk"/> new tokens of each at a time.</summary>
    /// <exception cref="UserException">The model cannot be decoded; see <see cref="ModelConfig.WhyNotDecoded"/>.</exception>
    public DecodeCache NewCache(int batch, int chunk)
    {
        RequireDecoding();
        return new DecodeCache(Backend, Body.State(Backend, batch, chunk), batch, chunk);
    }

    /// <summary>Bytes of such memory.</summary>
    /// <inheritdoc cref="NewCache"/>
    public long CacheBytes(int batch, int chunk)
    {
        RequireDecoding();
        return Body.State(Backend, batch, chunk).Sum(layer => layer.Sum(slot => slot.Bytes));
    }

    /// <summary>Records the loss for tokens and targets, Int32 [B, T]; −1 marks places without a target.</summary>
    /// <returns>The mean loss [1] over <see cref="StepSlot.TargetCount"/> and each token's nats [B·T].</returns>
    public (Tensor Loss, Tensor Losses) RecordLoss(Tape tape, Tensor tokens, Tensor targets, Tensor documents = default, Tensor prefixes = default) =>
        Language.Loss(tape, Body.Forward(tape, tokens, documents, prefixes), targets);

    /// <summary>Records the logits [B, T, V] of tokens, Int32 [B, T].</summary>
    public Tensor RecordLogits(Tape tape, Tensor tokens, Tensor documents = default, Tensor prefixes = default) =>
        Language.Logits(tape, Body.Forward(tape, tokens, documents, prefixes));

    /// <summary>Records what the head gives of an input: the logits [B, T, V], or the values [B, T, O].</summary>
    public Tensor RecordOutputs(Tape tape, Tensor input, Tensor documents = default, Tensor prefixes = default)
    {
        Tensor x = Body.Forward(tape, input, documents, prefixes);
        return _language?.Logits(tape, x) ?? ReadOut.Values(tape, x);
    }

    /// <summary>Records everything but the head, see <see cref="Body.Forward(Tape, Tensor, Tensor, Tensor, Tensor)"/>.</summary>
    public Tensor RecordBody(Tape tape, Tensor input, Tensor documents = default, Tensor prefixes = default) => Body.Forward(tape, input, documents, prefixes);

    /// <summary>Records one step of decoding: new tokens [B, T] at positions [B], of which counts [B] count.</summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="tokens">Int32 [B, T].</param>
    /// <param name="positions">Position of each row's first token, Int32 [B].</param>
    /// <param name="positionIds">Position of each token, Int32 [B, T].</param>
    /// <param name="counts">Tokens of each row that count, Int32 [B].</param>
    /// <param name="cache">What there is of the tokens before.</param>
    /// <param name="rows">
    /// The places whose logits are wanted, Int32 [B]: b · T + t of the tokens, −1 for none of a sequence; none for all places. Only these
    /// reach the head.
    /// </param>
    /// <param name="lengths">Tokens of each row's text with all that are known to come next, Int32 [B]; needed where rotary angles depend on it.</param>
    /// <returns>The logits, [B, 1, V] of <paramref name="rows"/> or [B, T, V]; <c>hook_logits</c> sees the same.</returns>
    public Tensor RecordDecode(Tape tape, Tensor tokens, Tensor positions, Tensor positionIds, Tensor counts, DecodeCache cache, Tensor rows = default, Tensor lengths = default)
    {
        var context = new ForwardContext
        {
            Tape = tape,
            Batch = tokens[0],
            Time = tokens[1],
            Positions = positions,
            PositionIds = positionIds,
            Counts = counts,
            Lengths = lengths,
            Cache = cache,
        };
        Tensor x = Body.Forward(context, tokens);
        if (!rows.IsNone)
        {
            x = EmbeddingOp.Record(tape, x.Reshape(tokens[0] * tokens[1], Config.Width), rows).Reshape(tokens[0], 1, Config.Width);
            tape.Input = tape.Input! with { Kept = rows };
        }

        return Language.Logits(tape, x);
    }

    private void RequireDecoding()
    {
        if (Config.WhyNotDecoded is { } reason)
        {
            throw new UserException(reason);
        }
    }

    private void RequirePoints(IReadOnlyList<EditConfig> edits)
    {
        string[] points = [.. TapPoints.Select(point => point.Name)];
        for (int i = 0; i < edits.Count; i++)
        {
            string pattern = edits[i].Points;
            if (!points.Any(point => TapName.Matches(pattern, point)))
            {
                throw new UserException($"model.edits.{i}.points: '{pattern}' matches no point of the model{TapSet.Instead(pattern, points)}");
            }
        }
    }

    public void Dispose()
    {
        Store.Dispose();
        _tables.Dispose();
    }
}
