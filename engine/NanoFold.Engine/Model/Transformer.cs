using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Model;

/// <summary>
/// A decoder-only language model: embedding (plus learned positions), pre-norm blocks on a residual stream, a final norm, a head that may be the embedding again.
/// It owns its parameters; recordings on tapes use them.
/// </summary>
public sealed class Transformer : IDisposable
{
    private readonly Parameter _embedding;
    private readonly Parameter? _positions;
    private readonly Residual _residual;
    private readonly Block[] _blocks;
    private readonly Norm _norm;
    private readonly Parameter _head;
    private readonly TableStore _tables;

    /// <param name="config">The shape; resolved here, its vocabulary must be known.</param>
    /// <param name="backend">Where the parameters live.</param>
    /// <param name="seed">Of the initial values; null where all parameters are read from a file next.</param>
    /// <param name="type">Real type; double where gradients are checked.</param>
    public Transformer(ModelConfig config, Backend backend, ulong? seed = 1, DType type = DType.Float32)
    {
        Config = config = config.Resolve();
        if (config.Vocab < 1)
        {
            throw new ArgumentException("model.vocab: not known; take it from the tokenizer");
        }

        Store = new ParameterStore(backend, type);
        _tables = new TableStore(backend, type);
        var builder = new ModuleBuilder(Store, _tables, config, config.Adapters is { } listed ? Adapters = new AdapterSet(listed) : null);
        ModuleBuilder model = builder.In("model");
        _embedding = model.Add("embed_tokens.weight", Layout.Of(config.Vocab, config.Width), ParameterRole.Embedding, Initialization.Embedding(config));
        _positions = config.Position == PositionKind.Learned
            ? model.Add("embed_positions.weight", Layout.Of(config.Context, config.Width), ParameterRole.Embedding, Initialization.Positions)
            : null;
        _residual = config.Residual.Build(model);
        _blocks = [.. config.LayerConfigs().Select((layer, i) => new Block(model.InLayer(i), layer, _residual))];
        _norm = model.Norm("norm", config.Width);
        _head = config.Tied
            ? _embedding
            : builder.Add("lm_head.weight", Layout.Of(config.Vocab, config.Width), ParameterRole.Head, Initialization.Head(config));
        Adapters?.RequireMatches();
        Store.Allocate(seed);
    }

    public ModelConfig Config { get; }

    public ParameterStore Store { get; }

    /// <summary>What is put around the model's linear layers, or null.</summary>
    public AdapterSet? Adapters { get; }

    public Backend Backend => Store.Backend;

    /// <summary>Bytes besides the parameters: of tables, such as those of rotary positions.</summary>
    public long TableBytes => _tables.Bytes;

    /// <summary>Decoding goes on beyond the context without reading anything again.</summary>
    public bool SlidesOn => Config.Position != PositionKind.Learned && Config.LayerConfigs().All(layer => layer.Mixer.Traits(Config).SlidesOn);

    /// <summary>Every point that the model declares, by its full name.</summary>
    public IEnumerable<TapPoint> TapPoints =>
    [
        new("hook_embed", "B T C"),
        .. _blocks.SelectMany((block, i) => block.TapPoints.Select(p => p with { Name = $"blocks.{i}.{p.Name}" })),
        .. _residual.EndPoints,
        new("ln_final.hook_normalized", "B T C"),
        new("hook_logits", "B T V"),
    ];

    /// <summary>Memory for decoding <paramref name="batch"/> sequences, at most <paramref name="chunk"/> new tokens of each at a time.</summary>
    public DecodeCache NewCache(int batch, int chunk) => new(Backend, [.. _blocks.Select(b => b.State(batch, chunk))], batch, chunk);

    /// <summary>Records the loss for tokens and targets, Int32 [B, T]; −1 marks places without a target.</summary>
    /// <returns>The mean loss [1] over <see cref="StepSlot.TargetCount"/> and each token's nats [B·T].</returns>
    public (Tensor Loss, Tensor Losses) RecordLoss(Tape tape, Tensor tokens, Tensor targets, Tensor documents = default)
    {
        Tensor x = RecordBody(Context(tape, tokens, documents), tokens);
        (Tensor loss, Tensor losses) result;
        if (Tap.IsWanted(tape, "hook_logits"))
        {
            Tensor logits = Tap.At(tape, "hook_logits", LinearOp.Record(tape, x, tape.Use(_head)));
            result = CrossEntropyOp.Record(tape, logits, targets);
        }
        else
        {
            result = LinearCrossEntropyOp.Record(tape, x, tape.Use(_head), targets);
        }

        if (tape.IsTraining)
        {
            tape.AddLoss(result.loss);
        }

        return result;
    }

    /// <summary>Records the logits [B, T, V] of tokens, Int32 [B, T].</summary>
    public Tensor RecordLogits(Tape tape, Tensor tokens, Tensor documents = default)
    {
        Tensor x = RecordBody(Context(tape, tokens, documents), tokens);
        return Tap.At(tape, "hook_logits", LinearOp.Record(tape, x, tape.Use(_head)));
    }

    /// <summary>Records everything but the head: tokens Int32 [B, T] to the normed stream [B, T, C].</summary>
    public Tensor RecordBody(Tape tape, Tensor tokens, Tensor documents = default) => RecordBody(Context(tape, tokens, documents), tokens);

    /// <summary>Records one step of decoding: new tokens [B, T] at positions [B], of which counts [B] count.</summary>
    /// <param name="rows">
    /// The places whose logits are wanted, Int32 [B]: b · T + t of the tokens, −1 for none of a sequence; none for all places. Only these
    /// reach the head.
    /// </param>
    /// <returns>The logits, [B, 1, V] of <paramref name="rows"/> or [B, T, V]; <c>hook_logits</c> sees the same.</returns>
    public Tensor RecordDecode(Tape tape, Tensor tokens, Tensor positions, Tensor positionIds, Tensor counts, DecodeCache cache, Tensor rows = default)
    {
        var context = new ForwardContext
        {
            Tape = tape,
            Batch = tokens[0],
            Time = tokens[1],
            Positions = positions,
            PositionIds = positionIds,
            Counts = counts,
            Cache = cache,
        };
        Tensor x = RecordBody(context, tokens);
        if (!rows.IsNone)
        {
            x = EmbeddingOp.Record(tape, x.Reshape(tokens[0] * tokens[1], Config.Width), rows).Reshape(tokens[0], 1, Config.Width);
        }

        return Tap.At(tape, "hook_logits", LinearOp.Record(tape, x, tape.Use(_head)));
    }

    public void Dispose()
    {
        Store.Dispose();
        _tables.Dispose();
    }

    private ForwardContext Context(Tape tape, Tensor tokens, Tensor documents) => new()
    {
        Tape = tape,
        Batch = tokens[0],
        Time = tokens[1] <= Config.Context
            ? tokens[1]
            : throw new ArgumentException($"model: {tokens[1]} tokens; its context is {Config.Context}"),
        Documents = documents,
    };

    private Tensor RecordBody(ForwardContext context, Tensor tokens)
    {
        Tape tape = context.Tape;
        Tensor x = EmbeddingOp.Record(tape, tape.Use(_embedding), tokens);
        if (_positions is not null)
        {
            x = AddOp.Record(tape, x, Positions(context));
        }

        x = Tap.At(tape, "hook_embed", DropoutOp.Record(tape, x, Config.Dropout));
        IReadOnlyList<Tensor> stream = _residual.Begin(context, x);
        for (int i = 0; i < _blocks.Length; i++)
        {
            using Tape.Scope scope = tape.Enter($"blocks.{i}");
            tape.BeginSegment();
            stream = _blocks[i].Forward(context, stream);
            tape.EndSegment();
        }

        return Tap.At(tape, "ln_final.hook_normalized", _norm.Forward(tape, _residual.End(context, stream)));
    }

    // [B, T, C]: the first T learned positions for every row, or those of the rows' own places while decoding.
    private Tensor Positions(ForwardContext context)
    {
        Tensor table = context.Tape.Use(_positions!);
        return context.IsDecoding
            ? EmbeddingOp.Record(context.Tape, table, context.PositionIds)
            : BroadcastOp.Record(context.Tape, table.Slice(0, 0, context.Time).Reshape(1, context.Time, Config.Width), context.Batch, context.Time, Config.Width);
    }
}
