using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Model;

/// <summary>
/// One pre-norm layer: x ← x + mixer(norm(x)), x ← x + feedForward(norm(x)), or as the residual connection has it. Each sub-block's result is dropped out here,
/// once.
/// </summary>
public sealed class Block
{
    private readonly Residual _residual;
    private readonly Mixer? _mixer;
    private readonly SubBlock? _mixing;
    private readonly SubBlock? _feeding;

    public Block(ModuleBuilder builder, LayerConfig config, Residual residual)
    {
        _residual = residual;
        if (config.Mixer.Traits(builder.Model).Mixes)
        {
            var norm = builder.Norm("input_layernorm", builder.Model.Width);
            _mixer = config.Mixer.Build(builder);
            _mixing = new SubBlock("ln1", norm, "hook_attn_out", _mixer, residual.Connect(builder, "attn_residual"), builder.Model.Dropout);
        }

        if (config.FeedForward.IsThere)
        {
            var norm = builder.Norm("post_attention_layernorm", builder.Model.Width);
            _feeding = new SubBlock("ln2", norm, "hook_mlp_out", config.FeedForward.Build(builder), residual.Connect(builder, "mlp_residual"), builder.Model.Dropout);
        }
    }

    /// <summary>Points of the block and of what is in it, named from the block.</summary>
    public IEnumerable<TapPoint> TapPoints =>
    [
        .. _residual.StreamPoints("pre"),
        .. _mixing?.TapPoints ?? [],
        .. _residual.StreamPoints("mid"),
        .. _feeding?.TapPoints ?? [],
        .. _residual.StreamPoints("post"),
    ];

    /// <summary>What decoding keeps, see <see cref="Mixer.State"/>.</summary>
    public IEnumerable<StateSlot> State(int batch, int chunk) => _mixer?.State(batch, chunk) ?? [];

    /// <summary>The stream before the block to the stream after it.</summary>
    public IReadOnlyList<Tensor> Forward(ForwardContext context, IReadOnlyList<Tensor> stream)
    {
        stream = _residual.At(context, "pre", stream);
        stream = _residual.At(context, "mid", _mixing?.Forward(context, stream) ?? stream);
        return _residual.At(context, "post", _feeding?.Forward(context, stream) ?? stream);
    }

    /// <summary>A norm, what is applied to what it normed, and how both are connected to the stream.</summary>
    private sealed class SubBlock(string normPoint, Norm norm, string point, BlockModule module, Connection connection, double dropout)
    {
        public IEnumerable<TapPoint> TapPoints =>
        [
            .. connection.TapPoints,
            .. Norm.Points(normPoint),
            .. module.TapPoints,
            new(point, "B T C"),
        ];

        public IReadOnlyList<Tensor> Forward(ForwardContext context, IReadOnlyList<Tensor> stream) => connection.Around(context, stream, x =>
        {
            Tape tape = context.Tape;
            Tensor normed = norm.Forward(tape, x, normPoint);
            return Tap.At(tape, point, DropoutOp.Record(tape, module.Forward(context, normed), dropout));
        });
    }
}
