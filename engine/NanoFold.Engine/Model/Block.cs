using NanoFold.Engine.Autograd;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Model;

/// <summary>
/// One layer: x ← x + mixer(norm(x)), x ← x + feedForward(norm(x)), or as the residual connection, <see cref="ModelShape.NormPlace"/> and
/// <see cref="ModelShape.Parallel"/> have it. Each sub-block's result is dropped out here, once. Norms have the names that transformers gives them, by which
/// <c>post_attention_layernorm</c> stands before the feed-forward, and after the mixer where there is a norm after it.
/// </summary>
public sealed class Block
{
    private readonly Residual _residual;
    private readonly Mixer? _mixer;
    private readonly FeedForwardModule? _feedForward;
    private readonly Joint? _mixing;
    private readonly Joint? _last;
    private readonly bool _isSplit = true;

    public Block(ModuleBuilder builder, LayerConfig config, Residual residual)
    {
        _residual = residual;
        ModelShape model = builder.Model;
        bool mixes = config.Mixer.Traits(model).Mixes, feeds = config.FeedForward.IsThere;
        bool hasPre = model.NormPlace != NormPlaceKind.Post, hasPost = model.NormPlace is NormPlaceKind.Post or NormPlaceKind.Sandwich, onStream = model.NormPlace == NormPlaceKind.Stream;
        SubBlockKind mixing = config.Mixer.Traits(model).PatternHeads > 0 ? SubBlockKind.Attention : SubBlockKind.Mixer;
        ParallelKind beside = mixes && feeds ? model.Parallel : ParallelKind.None;
        PlacedNorm? Place(bool isThere, string name, string point) => isThere ? new PlacedNorm(builder.Norm(name, model.Width), point) : null;
        SubBlock? mixer = null;
        if (mixes)
        {
            PlacedNorm? pre = Place(hasPre, "input_layernorm", "ln1");
            _mixer = config.Mixer.Build(builder);
            mixer = new SubBlock(pre, _mixer, Place(hasPost, "post_attention_layernorm", "ln1_post"), "hook_attn_out", model.Dropout);
            _mixing = beside == ParallelKind.None ? new Joint(residual.Connect(builder, "attn_residual", mixing), onStream, mixer) : null;
        }

        if (feeds)
        {
            PlacedNorm? pre = Place(hasPre && beside != ParallelKind.OneNorm, hasPost ? "pre_feedforward_layernorm" : "post_attention_layernorm", "ln2");
            _feedForward = config.FeedForward.Build(builder);
            var feeding = new SubBlock(pre, _feedForward, Place(hasPost, "post_feedforward_layernorm", "ln2_post"), "hook_mlp_out", model.Dropout);
            _isSplit = beside == ParallelKind.None;
            _last = _isSplit
                ? new Joint(residual.Connect(builder, "mlp_residual", SubBlockKind.FeedForward), onStream, feeding)
                : new Joint(residual.Connect(builder, "attn_residual", mixing), onStream, mixer!, feeding);
        }
    }

    /// <summary>Points of the block and of what is in it, named from the block.</summary>
    public IEnumerable<TapPoint> TapPoints =>
    [
        .. _residual.StreamPoints("pre"),
        .. _mixing?.TapPoints ?? [],
        .. _isSplit ? _residual.StreamPoints("mid") : [],
        .. _last?.TapPoints ?? [],
        .. _residual.StreamPoints("post"),
    ];

    /// <summary>What decoding keeps, see <see cref="BlockModule.State"/>.</summary>
    public IEnumerable<StateSlot> State(int batch, int chunk) => [.. _mixer?.State(batch, chunk) ?? [], .. _feedForward?.State(batch, chunk) ?? []];

    /// <summary>The stream before the block to the stream after it.</summary>
    public IReadOnlyList<Tensor> Forward(ForwardContext context, IReadOnlyList<Tensor> stream)
    {
        stream = _residual.At(context, "pre", stream);
        stream = _mixing?.Forward(context, stream) ?? stream;
        stream = _isSplit ? _residual.At(context, "mid", stream) : stream;
        return _residual.At(context, "post", _last?.Forward(context, stream) ?? stream);
    }

    /// <summary>Sub-blocks that read the same of the stream and join it as one, and how they are connected to it; or one whose norm is that of the stream itself.</summary>
    private sealed class Joint(Connection connection, bool onStream, params IReadOnlyList<SubBlock> parts)
    {
        public IEnumerable<TapPoint> TapPoints => [.. connection.TapPoints, .. parts.SelectMany(part => part.TapPoints)];

        public IReadOnlyList<Tensor> Forward(ForwardContext context, IReadOnlyList<Tensor> stream) => onStream
            ? connection.Around(context, [parts[0].Pre!.Forward(context.Tape, stream[0])], x => parts[0].Forward(context, x))
            : connection.Around(context, stream, x =>
            {
                // What has no norm before it reads what the one beside it does.
                Tensor read = x, sum = default;
                foreach (SubBlock part in parts)
                {
                    read = part.Pre?.Forward(context.Tape, x) ?? read;
                    Tensor made = part.Forward(context, read);
                    sum = sum.IsNone ? made : AddOp.RecordOntoLast(context.Tape, sum, made);
                }

                return sum;
            });
    }

    /// <summary>A norm with the name of its points.</summary>
    private sealed class PlacedNorm(Norm norm, string point)
    {
        public IEnumerable<TapPoint> TapPoints => Norm.Points(point);

        public Tensor Forward(Tape tape, Tensor x) => norm.Forward(tape, x, point);
    }

    /// <summary>A mixer or a feed-forward between its norms.</summary>
    private sealed class SubBlock(PlacedNorm? pre, BlockModule module, PlacedNorm? post, string point, double dropout)
    {
        public PlacedNorm? Pre => pre;

        public IEnumerable<TapPoint> TapPoints => [.. pre?.TapPoints ?? [], .. module.TapPoints, .. post?.TapPoints ?? [], new(point, "B T C")];

        public Tensor Forward(ForwardContext context, Tensor read)
        {
            Tensor made = module.Forward(context, read);
            return Tap.At(context.Tape, point, DropoutOp.Record(context.Tape, post?.Forward(context.Tape, made) ?? made, dropout));
        }
    }
}
