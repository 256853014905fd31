using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// A depthwise causal convolution of the last few tokens between two gates, without any activation (LFM2, arXiv 2511.23404): B, C, u = W_in x and
/// y = W_out (C ⊙ conv(B ⊙ u)).
/// </summary>
public sealed record GatedConvolutionConfig : MixerConfig
{
    public static GatedConvolutionConfig Tiny => new() { Conv = 3, ConvBias = true };

    /// <summary>K, the tokens that a token takes of: its own and those just before it.</summary>
    [Bounds(1, 1024)]
    public int Conv { get; init; } = 3;

    /// <summary>The convolution has a bias.</summary>
    public bool ConvBias { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new GatedConvolution(builder.In("self_attn"), this);
}

internal sealed class GatedConvolution : Mixer
{
    private readonly Linear _input;
    private readonly ShortConvolution _convolution;
    private readonly Linear _output;
    private readonly int _width;

    public GatedConvolution(ModuleBuilder builder, GatedConvolutionConfig config)
    {
        ModelShape model = builder.Model;
        _width = model.Width;
        // Rows: B, C, u.
        _input = builder.Linear("in_proj", _width, 3 * _width, Initialization.Input(_width), model.Bias);
        _convolution = new ShortConvolution(builder, "conv1d", _width, config.Conv, config.ConvBias, activates: false);
        _output = builder.Linear("out_proj", _width, _width, Initialization.Output(_width, model), model.Bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_gate_in", "B T C"),
        new("attn.hook_v", "B T C"),
        new("attn.hook_conv", "B T C"),
        new("attn.hook_gate_out", "B T C"),
        new("attn.hook_z", "B T C"),
    ];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor before = Part(tape, "hook_gate_in", x, 0), v = Part(tape, "hook_v", x, 2);
        Tensor convolved = Tap.At(tape, "hook_conv", _convolution.Forward(context, MultiplyOp.Record(tape, before, v)));
        return _output.Forward(tape, Tap.At(tape, "hook_z", MultiplyOp.Record(tape, Part(tape, "hook_gate_out", x, 1), convolved)));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) => _convolution.State(batch);

    private Tensor Part(Tape tape, string point, Tensor x, int part) => Tap.At(tape, point, _input.Forward(tape, x, part * _width, _width));
}
