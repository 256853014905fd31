using NanoFold.Engine.Autograd;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Model;

/// <summary>One pre-norm layer: x ← x + mixer(norm(x)), x ← x + feedForward(norm(x)).</summary>
public sealed class Block
{
    private readonly Norm _mixerNorm;
    private readonly FeedForwardModule _feedForward;
    private readonly Norm _feedForwardNorm;
    private readonly double _dropout;

    public Block(ModuleBuilder builder, LayerConfig config)
    {
        _mixerNorm = new Norm(builder, "input_layernorm", builder.Model.Width);
        Mixer = config.Mixer.Build(builder);
        _feedForwardNorm = new Norm(builder, "post_attention_layernorm", builder.Model.Width);
        _feedForward = config.FeedForward.Build(builder);
        _dropout = builder.Model.Dropout;
    }

    public Mixer Mixer { get; }

    /// <summary>Points of the block and of what is in it, named from the block.</summary>
    public IEnumerable<TapPoint> TapPoints =>
    [
        new("hook_resid_pre", "B T C"),
        new("ln1.hook_normalized", "B T C"),
        .. Mixer.TapPoints,
        new("hook_attn_out", "B T C"),
        new("hook_resid_mid", "B T C"),
        new("ln2.hook_normalized", "B T C"),
        .. _feedForward.TapPoints,
        new("hook_mlp_out", "B T C"),
        new("hook_resid_post", "B T C"),
    ];

    public Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        x = Tap.At(tape, "hook_resid_pre", x);
        Tensor normed = Tap.At(tape, "ln1.hook_normalized", _mixerNorm.Forward(tape, x));
        Tensor mixed = Tap.At(tape, "hook_attn_out", DropoutOp.Record(tape, Mixer.Forward(context, normed), _dropout));
        x = Tap.At(tape, "hook_resid_mid", AddOp.RecordOntoLast(tape, x, mixed));
        normed = Tap.At(tape, "ln2.hook_normalized", _feedForwardNorm.Forward(tape, x));
        Tensor fed = Tap.At(tape, "hook_mlp_out", _feedForward.Forward(context, normed));
        return Tap.At(tape, "hook_resid_post", AddOp.RecordOntoLast(tape, x, fed));
    }
}
