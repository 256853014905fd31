using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>conv(x) or silu(conv(x)): a depthwise causal convolution over the last few tokens; with a width of 0 there is none.</summary>
public sealed class ShortConvolution
{
    private readonly ModuleBuilder _builder;
    private readonly Parameter? _weight;
    private readonly Parameter? _bias;
    private readonly string _name;
    private readonly int _channels;
    private readonly int _width;
    private readonly bool _activates;

    /// <param name="builder">Where the parameters are declared.</param>
    /// <param name="name">As in <c>q_conv1d</c>.</param>
    /// <param name="channels">C.</param>
    /// <param name="width">K, tokens that a token takes of; 0 for no convolution.</param>
    /// <param name="bias">Whether there is a bias, from 0.</param>
    /// <param name="activates">Whether silu follows.</param>
    public ShortConvolution(ModuleBuilder builder, string name, int channels, int width, bool bias, bool activates = true)
    {
        (_builder, _name, _channels, _width, _activates) = (builder, name, channels, width, activates);
        if (width > 0)
        {
            // Filters of channels, no matrix: not for Muon.
            _weight = builder.Add($"{name}.weight", Layout.Of(channels, width), ParameterRole.Head, Initialization.Input(width));
            _bias = bias ? builder.Add($"{name}.bias", Layout.Of(channels), ParameterRole.Vector, Initializer.Zero) : null;
        }
    }

    /// <summary>What decoding keeps: the last K − 1 inputs.</summary>
    public IEnumerable<StateSlot> State(int batch) =>
        _width > 1 ? [new StateSlot(_name, Layout.Of(batch, _width - 1, _channels), _builder.Type, StateStart.Zero)] : [];

    /// <summary>x [B, T, C].</summary>
    public Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor convolved = _weight is null ? x : Convolve(context, x, tape.Use(_weight), _bias is null ? default : tape.Use(_bias));
        return _activates ? ActivationOp<Silu>.Record(tape, convolved) : convolved;
    }

    private Tensor Convolve(ForwardContext context, Tensor x, Tensor weight, Tensor bias) => context.Cache is { } cache
        ? ConvolutionOp.Decode(context.Tape, x, weight, bias, _width > 1 ? cache.Use(context.Tape, _builder.Layer, _name) : default, context.Counts, context.Continues())
        : ConvolutionOp.Record(context.Tape, x, weight, bias, context.Continues());
}
