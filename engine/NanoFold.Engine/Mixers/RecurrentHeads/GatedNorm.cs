using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>Over which channels of a result a norm runs.</summary>
public enum ChannelNormSpan
{
    /// <summary>All channels together (Mamba-2 and Bamba as in transformers).</summary>
    All,

    /// <summary>The channels of each group of heads by themselves, with a gain for each channel (Mamba-2 of several groups as its authors train it, Falcon-H1).</summary>
    Group,

    /// <summary>There is no norm (Falcon-H1's default).</summary>
    None,
}

/// <summary>RMSNorm(y ⊙ silu(z)) ⊙ g, or RMSNorm(y) ⊙ g ⊙ silu(z); y, z [B, T, C], the gain g [C] in <c>norm.weight</c>.</summary>
internal sealed class GatedNorm
{
    private readonly Norm? _norm;
    private readonly Parameter? _gains;
    private readonly int _groups;
    private readonly double _epsilon;
    private readonly bool _gateFirst;
    private readonly bool _fromOne;

    public GatedNorm(ModuleBuilder builder, int channels, Mamba2Config config)
    {
        (_groups, _epsilon, _gateFirst, _fromOne) = (config.Groups, builder.Model.NormEpsilon, config.GateFirst, builder.Model.NormGainFromOne);
        _norm = config.NormOver == ChannelNormSpan.All ? builder.Norm("norm", channels, NormKind.Rms) : null;
        _gains = config.NormOver == ChannelNormSpan.Group ? builder.Add("norm.weight", Layout.Of(channels), ParameterRole.Vector, Initialization.Gain(builder.Model.NormGainFromOne)) : null;
    }

    public Tensor Forward(Tape tape, Tensor y, Tensor z) =>
        _gateFirst ? Normed(tape, GatedActivationOp<Silu>.Record(tape, z, y)) : GatedActivationOp<Silu>.Record(tape, z, Normed(tape, y));

    private Tensor Normed(Tape tape, Tensor y)
    {
        if (_gains is null)
        {
            return _norm?.Forward(tape, y) ?? y;
        }

        (int b, int t, int c) = (y[0], y[1], y[2]);
        Tensor normed = RmsNormOp.Record(tape, y.SplitLast(_groups), default, _epsilon).Reshape(b, t, c);
        // A copy first: parameters stay in single precision where activations have 16 bits.
        Tensor gained = MultiplyOp.Record(tape, normed, BroadcastOp.Record(tape, tape.Use(_gains).Reshape(1, 1, c), 1, 1, c));
        return _fromOne ? AddOp.Record(tape, normed, gained) : gained;
    }
}
