using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Model;

/// <summary>
/// A model without its head: tokens Int32 [B, T], looked up, or features [B, T, F], read in by a linear layer, plus learned positions; blocks on a
/// residual stream; a final norm. What it gives, the normed stream [B, T, C], is what heads work on.
/// </summary>
public sealed class Body
{
    private readonly ModelConfig _config;
    private readonly Linear? _readIn;
    private readonly Norm? _embeddingNorm;
    private readonly Parameter? _positions;
    private readonly Residual _residual;
    private readonly Block[] _blocks;
    private readonly Norm _norm;
    private readonly TapSet? _edits;

    /// <param name="builder">Of the part <c>model</c>.</param>
    /// <param name="config">The model, resolved.</param>
    /// <param name="edits">The model's own editors, or null.</param>
    public Body(ModuleBuilder builder, ModelConfig config, TapSet? edits = null)
    {
        (_config, _edits) = (config, edits);
        int width = config.Width;
        if (config.Inputs > 0)
        {
            _readIn = builder.Linear("read_in", config.Inputs, width, Initialization.ReadIn(config), bias: true, ParameterRole.Embedding);
        }
        else
        {
            Embedding = builder.Embedding("embed_tokens", config.Vocab, width, Initialization.Embedding(config));
        }

        _embeddingNorm = config.EmbeddingNorm ? builder.Norm("embed_norm", width) : null;
        _positions = config.Position == PositionKind.Learned
            ? builder.Add("embed_positions.weight", Layout.Of(config.Context, width), ParameterRole.Embedding, Initialization.Positions)
            : null;
        _residual = config.Residual.Build(builder);
        _blocks = [.. config.LayerConfigs().Select((layer, i) => new Block(builder.InLayer(i), layer, _residual))];
        _norm = builder.Norm("norm", width);
    }

    /// <summary>Points of the body by their full names.</summary>
    public IEnumerable<TapPoint> TapPoints =>
    [
        .. _embeddingNorm is null ? [] : Norm.Points("embed_norm"),
        .. _positions is null ? Array.Empty<TapPoint>() : [new("hook_pos_embed", "B T C")],
        new("hook_embed", "B T C"),
        .. _blocks.SelectMany((block, i) => block.TapPoints.Select(p => p with { Name = $"blocks.{i}.{p.Name}" })),
        .. _residual.EndPoints,
        .. Norm.Points("ln_final"),
    ];

    /// <summary>The vectors of tokens [V, C], null where features are read in.</summary>
    internal Embedding? Embedding { get; }

    /// <summary>What decoding keeps on a backend, for each layer.</summary>
    internal IEnumerable<StateSlot>[] State(Backend backend, int batch, int chunk) => [.. _blocks.Select(block => block.State(batch, chunk).Select(slot => slot.On(backend)))];

    /// <summary>Records the pass over a batch: the normed stream [B, T, C].</summary>
    /// <param name="tape">Where to record.</param>
    /// <param name="input">Tokens Int32 [B, T], or features [B, T, F] where <see cref="ModelShape.Inputs"/> says that there are some.</param>
    /// <param name="documents">Document of each place, Int32 [B, T], or none: places then see their own document only.</param>
    /// <param name="prefixes">First places of each row that all see, Int32 [B]; given where <see cref="ModelShape.Visibility"/> is a prefix, and only there.</param>
    /// <param name="positions">The position of each place, Int32 [B, T], where positions are learned and not those in the row; otherwise none.</param>
    /// <exception cref="ArgumentException">The input has another shape or is longer than the context, or prefixes are missing.</exception>
    public Tensor Forward(Tape tape, Tensor input, Tensor documents = default, Tensor prefixes = default, Tensor positions = default)
    {
        CheckInput(input);
        if (input[1] > _config.Context)
        {
            throw new ArgumentException($"model: {input[1]} tokens; its context is {_config.Context}");
        }

        if (prefixes.IsNone == (_config.Visibility == VisibilityKind.Prefix))
        {
            throw new ArgumentException($"model: prefixes are {(prefixes.IsNone ? "missing" : "given")} where its visibility is {_config.Visibility}");
        }

        Visibility visible = _config.Visibility switch
        {
            VisibilityKind.Full => Visibility.Full,
            VisibilityKind.Prefix => Visibility.Prefix(prefixes),
            _ => Visibility.Causal,
        };
        return Forward(new ForwardContext { Tape = tape, Batch = input[0], Time = input[1], Documents = documents, Visible = visible with { Documents = documents }, PositionIds = positions }, input);
    }

    /// <summary>Records the last norm alone: of a stream [B, T, C] of any layer, to be read by the head as if the model ended there.</summary>
    public Tensor LastNorm(Tape tape, Tensor stream)
    {
        using Tape.Scope edits = tape.EditBy(_edits);
        return _norm.Forward(tape, stream, "ln_final");
    }

    /// <summary>The same of a pass whose context is known: of decoding.</summary>
    internal Tensor Forward(ForwardContext context, Tensor input)
    {
        Tape tape = context.Tape;
        using Tape.Scope edits = tape.EditBy(_edits);
        tape.Input = new TapInput
        {
            Batch = context.Batch, Time = context.Time, Tokens = _readIn is null ? input : default, Documents = context.Documents, Positions = context.Positions,
        };
        Tensor x = _readIn is null
            ? Scaled(tape, Embedding!.Forward(tape, input))
            // Features may have another precision than activations have.
            : _readIn.Forward(tape, input.Type == tape.Type ? input : BroadcastOp.Record(tape, input, input.Layout.ToShape()));
        x = _embeddingNorm?.Forward(tape, x, "embed_norm") ?? x;
        if (_positions is not null)
        {
            x = AddOp.Record(tape, x, Tap.At(tape, "hook_pos_embed", Positions(context)));
        }

        x = Tap.At(tape, "hook_embed", DropoutOp.Record(tape, x, _config.Dropout));
        IReadOnlyList<Tensor> stream = _residual.Begin(context, x);
        for (int i = 0; i < _blocks.Length; i++)
        {
            using Tape.Scope scope = tape.Enter($"blocks.{i}");
            tape.BeginSegment();
            stream = _blocks[i].Forward(context, stream);
            tape.EndSegment();
        }

        return _norm.Forward(tape, _residual.End(context, stream), "ln_final");
    }

    private Tensor Scaled(Tape tape, Tensor x) => _config.EmbeddingScale == 1 ? x : ScaleOp.Record(tape, x, _config.EmbeddingScale);

    // [B, T, C]: the first T learned positions for every row, or those that places have of their own, as while decoding.
    private Tensor Positions(ForwardContext context)
    {
        Tensor table = context.Tape.Use(_positions!);
        return !context.PositionIds.IsNone
            ? EmbeddingOp.Record(context.Tape, table, context.PositionIds)
            : BroadcastOp.Record(context.Tape, table.Slice(0, 0, context.Time).Reshape(1, context.Time, _config.Width), context.Batch, context.Time, _config.Width);
    }

    private void CheckInput(Tensor input)
    {
        bool fits = _config.Inputs > 0
            ? input.Layout.Rank == 3 && input[2] == _config.Inputs && input.Type != DType.Int32
            : input.Layout.Rank == 2 && input.Type == DType.Int32;
        if (!fits)
        {
            throw new ArgumentException(_config.Inputs > 0
                ? $"model: input {input}; expected features [B, T, {_config.Inputs}], as model.inputs says"
                : $"model: input {input}; expected tokens Int32 [B, T]");
        }
    }
}
