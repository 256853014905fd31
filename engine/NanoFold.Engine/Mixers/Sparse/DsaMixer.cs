using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Attention over the keys that an indexer chooses, q [I·E, C], k [E, C] and w [I, C] of it, without biases, as routers are. Decoding keeps the index keys beside keys
/// and values.
/// </summary>
internal sealed class DsaMixer : KeyListMixer
{
    private readonly DsaConfig _config;
    private readonly Linear? _query;
    private readonly Linear? _key;
    private readonly Linear? _weight;
    private readonly int _layer;

    public DsaMixer(ModuleBuilder builder, HeadShape shape, DsaConfig config)
        : base(builder, shape)
    {
        _config = config;
        _layer = builder.Layer;
        if (builder.Place(config) % config.SharedLayers == 0)
        {
            int width = Model.Width;
            _query = Builder.Linear("index_q_proj", width, config.IndexHeads * config.IndexDim, Initialization.Input(width), growth: GrowthKind.Output);
            _key = Builder.Linear("index_k_proj", width, config.IndexDim, Initialization.Input(width), growth: GrowthKind.Output);
            _weight = Builder.Linear("index_w_proj", width, config.IndexHeads, Initialization.Input(width), growth: GrowthKind.Output);
        }
    }

    public override IReadOnlyList<TapPoint> TapPoints => _query is null ? base.TapPoints :
    [
        .. base.TapPoints,
        new("attn.hook_index_q", $"B T {_config.IndexHeads} {_config.IndexDim}"),
        new("attn.hook_index_k", $"B T 1 {_config.IndexDim}"),
        new("attn.hook_index_weights", $"B T {_config.IndexHeads}"),
    ];

    protected override int MostKept => _config.TopK;

    // One list for all heads.
    protected override int KeptLists => 1;

    public override IEnumerable<StateSlot> State(int batch, int chunk) => _query is null ? base.State(batch, chunk) :
        [.. base.State(batch, chunk), new StateSlot("indexKeys", Layout.Of(batch, Model.Context, 1, _config.IndexDim), Builder.Type, StateStart.Kept) { TokensPerEntry = 1 }];

    protected override KeyList Keep(ForwardContext context, AttentionInput input)
    {
        Tape tape = context.Tape;
        bool isDense = tape.IsTraining && tape.Step < _config.DenseSteps;
        if (_query is null)
        {
            return isDense ? default : context.SharedBy(_config);
        }

        // With a place for what it learns: gradients end here.
        Tensor x = DetachOp.Record(tape, input.X);
        Tensor q = Tap.At(tape, "hook_index_q", _query.Forward(tape, x).Reshape(x[0], x[1], _config.IndexHeads, _config.IndexDim));
        Tensor k = Tap.At(tape, "hook_index_k", _key!.Forward(tape, x).Reshape(x[0], x[1], 1, _config.IndexDim));
        Tensor weights = Tap.At(tape, "hook_index_weights", _weight!.Forward(tape, x));
        double scale = 1 / Math.Sqrt(_config.IndexHeads * (double)_config.IndexDim);
        if (context.Cache is { } cache)
        {
            Tensor keys = CacheAppendOp.Record(tape, k, cache.Use(tape, _layer, "indexKeys"), context.Positions, context.Counts);
            KeyList chosen = SelectKeysOp.Record(
                tape, q, keys, weights, scale, new KeyBudget(_config.TopK), Seen(context), _config.KeySize, context.Positions, context.Counts);
            context.Share(_config, chosen);
            return chosen;
        }

        KeyList kept = isDense ? default : SelectKeysOp.Record(tape, q, k, weights, scale, new KeyBudget(_config.TopK), Seen(context), _config.KeySize);
        context.Share(_config, kept);
        if (tape.IsTraining && _config.IndexLoss > 0)
        {
            tape.AddLoss(IndexLossOp.Record(tape, (q, k, weights), scale, input.Q, input.K, Scale, kept, _config.IndexLoss, Seen(context)));
        }

        return kept;
    }
}
