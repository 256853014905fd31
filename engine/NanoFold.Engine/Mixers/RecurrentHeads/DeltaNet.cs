using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Delta networks: a token replaces what its key finds, S ← S + β k (v − Sᵀ k)ᵀ, with q and k of length 1 after short convolutions with silu, β = σ(W_b x), RMSNorm of
/// each head.
/// </summary>
public abstract record DeltaFamilyConfig : RecurrentHeadsConfig
{
    /// <summary>Tokens that the convolutions on q, k and v take of: the own one and those just before it; 0 for no convolutions.</summary>
    [Bounds(0, 1024)]
    public int Conv { get; init; } = 4;

    /// <summary>β up to 2 in place of 1: the state can turn back along a key, which tracking a state takes (arXiv 2411.12537).</summary>
    public bool NegativeEigenvalues { get; init; }

    /// <summary>Whether gains of the norm of each head are 1 + g; null for what model.normGainFromOne says.</summary>
    public bool? NormGainFromOne { get; init; }
}

/// <summary>The delta rule without decay (arXiv 2406.06484).</summary>
public sealed record DeltaNetConfig : DeltaFamilyConfig
{
    public static DeltaNetConfig Tiny => new() { Conv = 3 };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder)
    {
        HeadShape shape = ShapeFor(builder.Model);
        return new DeltaNet(builder, this, shape, (shape.Heads, shape.KvHeads, shape.KvHeads), hasGate: false);
    }
}

internal class DeltaNet : RecurrentHeadsMixer
{
    private const double LengthEpsilon = 1e-6;

    private readonly Linear _beta;
    private readonly bool _isDoubled;

    public DeltaNet(ModuleBuilder builder, DeltaFamilyConfig config, HeadShape shape, (int Query, int Key, int Value) heads, bool hasGate)
        : base(builder, shape, heads, new RecurrentHeadsParts(config.Conv, HasNorm: true, hasGate) { NormGainFromOne = config.NormGainFromOne })
    {
        _isDoubled = config.NegativeEigenvalues;
        _beta = Builder.Linear("b_proj", Model.Width, shape.Heads, Initialization.Input(Model.Width));
    }

    protected override IReadOnlyList<TapPoint> OwnPoints => [new("attn.hook_beta", "B T H")];

    protected override Tensor Normed(Tape tape, Tensor x) => RmsNormOp.ToLength(tape, x, LengthEpsilon);

    protected override Tensor Beta(Tape tape, Tensor x)
    {
        Tensor beta = ActivationOp<Sigmoid>.Record(tape, _beta.Forward(tape, x));
        return Tap.At(tape, "hook_beta", _isDoubled ? ScaleOp.Record(tape, beta, 2) : beta);
    }
}
