using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Model;

/// <summary>
/// One pre-norm layer: x ← x + mixer(norm(x)), x ← x + feedForward(norm(x)), or as the residual connection joins them. Each sub-block's result is
/// dropped out here, once.
/// </summary>
public sealed class Block
{
    private readonly Mixer? _mixer;
    private readonly SubBlock? _mixing;
    private readonly SubBlock _feeding;

    public Block(ModuleBuilder builder, LayerConfig config)
    {
        if (config.Mixer.Traits(builder.Model).Mixes)
        {
            var norm = new Norm(builder, "input_layernorm", builder.Model.Width);
            _mixer = config.Mixer.Build(builder);
            _mixing = new SubBlock("ln1", norm, "hook_attn_out", _mixer, config.Residual.Build(builder.In("attn_residual")), builder.Model.Dropout);
        }

        var feedingNorm = new Norm(builder, "post_attention_layernorm", builder.Model.Width);
        _feeding = new SubBlock(
            "ln2", feedingNorm, "hook_mlp_out", config.FeedForward.Build(builder), config.Residual.Build(builder.In("mlp_residual")), builder.Model.Dropout);
    }

    /// <summary>Points of the block and of what is in it, named from the block.</summary>
    public IEnumerable<TapPoint> TapPoints =>
    [
        new("hook_resid_pre", "B T C"),
        .. _mixing?.TapPoints ?? [],
        new("hook_resid_mid", "B T C"),
        .. _feeding.TapPoints,
        new("hook_resid_post", "B T C"),
    ];

    /// <summary>What decoding keeps, see <see cref="Mixer.State"/>.</summary>
    public IEnumerable<StateSlot> State(int batch, int chunk) => _mixer?.State(batch, chunk) ?? [];

    public Tensor Forward(ForwardContext context, Tensor x)
    {
        x = Tap.At(context.Tape, "hook_resid_pre", x);
        x = Tap.At(context.Tape, "hook_resid_mid", _mixing?.Forward(context, x) ?? x);
        return Tap.At(context.Tape, "hook_resid_post", _feeding.Forward(context, x));
    }

    /// <summary>A norm, what is applied to the normed stream, and how the result joins.</summary>
    private sealed class SubBlock(string normPoint, Norm norm, string point, BlockModule module, Residual residual, double dropout)
    {
        public IEnumerable<TapPoint> TapPoints =>
        [
            new($"{normPoint}.hook_normalized", "B T C"),
            .. module.TapPoints,
            new(point, "B T C"),
        ];

        public Tensor Forward(ForwardContext context, Tensor x)
        {
            Tape tape = context.Tape;
            Tensor normed = Tap.At(tape, $"{normPoint}.hook_normalized", norm.Forward(tape, x));
            Tensor made = DropoutOp.Record(tape, module.Forward(context, normed), dropout);
            return residual.Join(context, x, Tap.At(tape, point, made));
        }
    }
}
