using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Mixers;

/// <summary>Each token's input and that of the token before it (RWKV, arXiv 2305.13048), 0 where a row or a document begins, in shares of each channel.</summary>
public sealed class TokenShift
{
    private readonly ModuleBuilder _builder;
    private readonly Table _taps;
    private readonly string _slot;
    private readonly int _width;

    /// <param name="builder">The module's.</param>
    /// <param name="slot">What decoding keeps it by, apart from the other slots of the layer.</param>
    public TokenShift(ModuleBuilder builder, string slot)
    {
        (_builder, _slot, _width) = (builder, slot, builder.Model.Width);
        // A convolution that takes the place before alone.
        _taps = builder.Table($"shift {_width}", Layout.Of(_width, 2), () => [.. Enumerable.Range(0, 2 * _width).Select(i => 1.0 - (i % 2))]);
    }

    /// <summary>Declares the shares m [C] of one mix, which begin as (i / C)^power + more for channel i.</summary>
    public Parameter Shares(string name, double power, double more = 0) => _builder.Add(
        name, Layout.Of(_width), ParameterRole.Vector,
        Initializer.Values([.. Enumerable.Range(0, _width).Select(i => more + (i == 0 ? 0 : PortableMath.Pow((double)i / _width, power)))]));

    /// <summary>x [B, T, C] of the place before each.</summary>
    public Tensor Before(ForwardContext context, Tensor x)
    {
        // Tables are in single precision where activations have 16 bits.
        Tensor taps = Linear.Widened(context.Tape, context.Tape.Use(_taps));
        return context.Cache is { } cache
            ? ConvolutionOp.Decode(context.Tape, x, taps, default, cache.Use(context.Tape, _builder.Layer, _slot), context.Counts, context.Continues())
            : ConvolutionOp.Record(context.Tape, x, taps, default, context.Continues());
    }

    /// <summary>m ⊙ x + (1 − m) ⊙ before.</summary>
    public Tensor Mix(Tape tape, Tensor x, Tensor before, Parameter shares) =>
        LerpOp.Record(tape, x, before, BroadcastOp.Record(tape, tape.Use(shares).Reshape(1, 1, _width), 1, 1, _width));

    /// <summary>What decoding keeps: the last input.</summary>
    public StateSlot State(int batch) => new(_slot, Layout.Of(batch, 1, _width), _builder.Type, StateStart.Zero);
}
