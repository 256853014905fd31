using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Retention (arXiv 2307.08621): S ← γ S + k vᵀ with γ = 1 − 2^(−5−h) for head h, rotary positions on q and k whatever the model's are, RMSNorm of each head, times
/// silu(W_g x).
/// </summary>
public sealed record RetentionConfig : RecurrentHeadsConfig
{
    public static RetentionConfig Tiny => new();

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { SlidesOn = false };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        if (ShapeFor(model).HeadDim % 2 != 0)
        {
            yield return new ConfigProblem(Key(path, "headDim", HeadDim), $"{ShapeFor(model).HeadDim} is odd; the rotary positions of retention need an even one");
        }
        else
        {
            foreach (ConfigProblem problem in model.RopeScaling.Validate(
                new RopeAngles(model.RopeBase, ShapeFor(model).HeadDim, model.Context), $"{path[..path.IndexOf('.', StringComparison.Ordinal)]}.ropeScaling"))
            {
                yield return problem;
            }
        }
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new Retention(builder, ShapeFor(builder.Model));
}

internal sealed class Retention : RecurrentHeadsMixer
{
    private readonly Rotary _rotary;
    private readonly Table _decay;

    public Retention(ModuleBuilder builder, HeadShape shape)
        : base(builder, shape, new RecurrentHeadsParts(Convolution: null, HasNorm: true, HasGate: true))
    {
        _rotary = new Rotary(Builder, shape.HeadDim);
        // ln(1 − 2^(−5−h)): of many heads the last ones do not fade at all.
        _decay = Builder.Table($"retention {shape.Heads}", Layout.Of(shape.Heads), () => [.. Enumerable.Range(0, shape.Heads).Select(h => PortableMath.Log(1 - PortableMath.Pow(2, -5 - h)))]);
    }

    protected override Tensor Feature(ForwardContext context, Tensor x) => _rotary.Forward(context, x);

    protected override Tensor Decay(Tape tape, Tensor x) => tape.Use(_decay);
}
