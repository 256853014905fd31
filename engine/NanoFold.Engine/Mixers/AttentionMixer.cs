using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// What all kinds of attention share: projections q [H·D, C], k and v [G·D, C], o [C, H·D], optional QK-norm, rotary positions, the cache.
/// A variant changes what a query sees (<see cref="Mask"/>, <see cref="TopK"/>) or passes values through <see cref="OnQueries"/> and its kin.
/// </summary>
public class AttentionMixer : Mixer
{
    private readonly Linear _query;
    private readonly Linear _key;
    private readonly Linear _value;
    private readonly Linear _output;
    private readonly Norm? _queryNorm;
    private readonly Norm? _keyNorm;
    private readonly int _layer;

    public AttentionMixer(ModuleBuilder builder)
    {
        Model = builder.Model;
        Builder = builder.In("self_attn");
        _layer = builder.Layer;
        int queries = Model.Heads * Model.HeadDim, keys = Model.KvHeads * Model.HeadDim;
        _query = new Linear(Builder, "q_proj", Model.Width, queries, Initialization.Input(Model.Width), Model.Bias);
        _key = new Linear(Builder, "k_proj", Model.Width, keys, Initialization.Input(Model.Width), Model.Bias);
        _value = new Linear(Builder, "v_proj", Model.Width, keys, Initialization.Input(Model.Width), Model.Bias);
        _output = new Linear(Builder, "o_proj", queries, Model.Width, Initialization.Output(queries, Model), Model.Bias);
        if (Model.QkNorm)
        {
            _queryNorm = new Norm(Builder, "q_norm", Model.HeadDim, NormKind.Rms);
            _keyNorm = new Norm(Builder, "k_norm", Model.HeadDim, NormKind.Rms);
        }
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_q", "B T H D"),
        new("attn.hook_k", "B T G D"),
        new("attn.hook_v", "B T G D"),
        new("attn.hook_pattern", "B H T T"),
        new("attn.hook_z", "B T H D"),
    ];

    protected ModelShape Model { get; }

    protected ModuleBuilder Builder { get; }

    /// <summary>Window and sinks.</summary>
    protected virtual CausalMask Mask => default;

    /// <summary>Keys kept per query, 0 for all.</summary>
    protected virtual int TopK => 0;

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor q = Heads(_query.Forward(tape, x), Model.Heads);
        Tensor k = Heads(_key.Forward(tape, x), Model.KvHeads);
        Tensor v = Heads(_value.Forward(tape, x), Model.KvHeads);
        if (_queryNorm is not null)
        {
            q = _queryNorm.Forward(tape, q);
            k = _keyNorm!.Forward(tape, k);
        }

        // After the norms: they would divide a gate per head out again.
        q = Tap.At(tape, "hook_q", OnQueries(tape, x, q));
        k = Tap.At(tape, "hook_k", OnKeys(tape, x, k));
        v = Tap.At(tape, "hook_v", OnValues(tape, x, v));
        if (!context.RopeTable.IsNone)
        {
            q = RopeOp.Record(tape, q, context.RopeTable, context.Positions, Model.RopeInterleaved);
            k = RopeOp.Record(tape, k, context.RopeTable, context.Positions, Model.RopeInterleaved);
        }

        Tensor z = Tap.At(tape, "hook_z", OnHeads(tape, x, Attend(context, q, k, v)));
        return OnOutput(tape, x, _output.Forward(tape, z.Reshape(x[0], x[1], Model.Heads * Model.HeadDim)));
    }

    public override IEnumerable<CacheSlot> CacheSlots(int batch, int chunk)
    {
        // A window needs itself, the chunk that is written before it is read, and the sinks.
        int capacity = Mask.Window == 0 ? Model.Context : Math.Min(Model.Context, Mask.Sinks + Mask.Window + chunk - 1);
        Layout layout = Layout.Of(batch, capacity, Model.KvHeads, Model.HeadDim);
        return [new CacheSlot("keys", layout), new CacheSlot("values", layout)];
    }

    protected virtual Tensor OnQueries(Tape tape, Tensor x, Tensor q) => q;

    protected virtual Tensor OnKeys(Tape tape, Tensor x, Tensor k) => k;

    protected virtual Tensor OnValues(Tape tape, Tensor x, Tensor v) => v;

    /// <summary>The heads' results [B, T, H, D], before the output projection.</summary>
    protected virtual Tensor OnHeads(Tape tape, Tensor x, Tensor z) => z;

    protected virtual Tensor OnOutput(Tape tape, Tensor x, Tensor y) => y;

    private static Tensor Heads(Tensor x, int heads) => x.Reshape(x[0], x[1], heads, x[2] / heads);

    private Tensor Attend(ForwardContext context, Tensor q, Tensor k, Tensor v)
    {
        Tape tape = context.Tape;
        double scale = 1 / Math.Sqrt(Model.HeadDim);
        bool isEdited = Tap.IsEdited(tape, "hook_pattern");
        if (context.Cache is { } cache)
        {
            if (isEdited)
            {
                throw new ArgumentException($"tap {tape.Path}.hook_pattern: cannot be edited while decoding with a cache");
            }

            (Tensor, Tensor) slots = (cache.Use(tape, _layer, "keys"), cache.Use(tape, _layer, "values"));
            return CachedAttentionOp.Record(tape, q, k, v, slots, context.Positions, context.Counts, scale, Mask, TopK);
        }

        if (Tap.IsWanted(tape, "hook_pattern"))
        {
            Tensor pattern = Tap.At(tape, "hook_pattern", AttentionOp.Pattern(tape, q, k, scale, Mask, context.Documents, TopK));
            if (isEdited)
            {
                return AttentionOp.Weigh(tape, pattern, v);
            }
        }

        return TopK > 0
            ? TopKAttentionOp.Record(tape, q, k, v, scale, TopK, context.Documents)
            : AttentionOp.Record(tape, q, k, v, scale, Mask, context.Documents);
    }
}
