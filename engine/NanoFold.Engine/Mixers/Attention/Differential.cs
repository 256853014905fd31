using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Differential attention (arXiv 2410.05258): two query heads attend to values of one head of 2D, and the second result is taken off the first,
/// z = (1 − λ0) · RMSNorm(y_1 − λ y_2). λ = exp(λq1 · λk1) − exp(λq2 · λk2) + λ0 is learned for each layer, λ0 = 0.8 − 0.6 e^(−0.3 · layer), layers
/// counted from 0; the norm has one gain [2D] for all heads, or none.
/// </summary>
public sealed record DifferentialConfig : AttentionFamilyConfig
{
    public static DifferentialConfig Tiny => new();

    /// <summary>Which query heads make a pair.</summary>
    public HeadPairing Pairing { get; init; }

    /// <summary>The norm of the difference has a gain.</summary>
    public bool NormGain { get; init; } = true;

    /// <inheritdoc/>
    protected override bool CanCapScores => true;

    /// <summary>Of paired heads, whose values are twice as wide where nothing else is said.</summary>
    public override HeadShape ShapeFor(ModelShape model)
    {
        HeadShape shape = base.ShapeFor(model);
        return shape with { ValueDim = ValueDim > 0 ? ValueDim : 2 * shape.HeadDim, IsPaired = true };
    }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        HeadShape shape = ShapeFor(model);
        if (shape.Heads % 2 != 0)
        {
            yield return new ConfigProblem(Key(path, "heads", Heads), $"{shape.Heads} is odd; differential attention takes one head off another, so it needs an even number");
        }
        else if (shape.KvHeads % 2 != 0 && shape.KvHeads > 1)
        {
            yield return new ConfigProblem(Key(path, "kvHeads", KvHeads), $"{shape.KvHeads} is odd; two heads of keys share one of values, so differential attention needs an even number, or 1");
        }
        else if (shape.KvHeads == 1 && Pairing == HeadPairing.KeyHeads)
        {
            yield return new ConfigProblem($"{path}.pairing", $"\"key-heads\" takes query heads of two key heads, of which there is one: {Key(path, "kvHeads", KvHeads)} = 1");
        }
    }

    /// <summary>How far the query heads of a pair are apart, see <see cref="DifferenceOp"/>.</summary>
    public int Apart(ModelShape model) => Pairing == HeadPairing.KeyHeads ? ShapeFor(model).Heads / ShapeFor(model).KvHeads : 1;

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new Differential(builder, this);
}

/// <summary>Which query heads of differential attention make a pair. Where each query head has a key head of its own both are the same.</summary>
public enum HeadPairing
{
    /// <summary>Heads 2i and 2i + 1.</summary>
    Neighbors,

    /// <summary>The query heads of key head 2i with those of key head 2i + 1, in their order: heads of a pair never share a key head (DiffLlama).</summary>
    KeyHeads,
}

internal sealed class Differential : AttentionMixer
{
    private readonly Parameter[] _lambda;
    private readonly Norm _norm;
    private readonly double _start;
    private readonly int _apart;

    public Differential(ModuleBuilder builder, DifferentialConfig config)
        : base(builder, config.ShapeFor(builder.Model))
    {
        HeadShape shape = Shape;
        _apart = config.Apart(builder.Model);
        _start = 0.8 - (0.6 * PortableMath.Exp(-0.3 * builder.Layer));
        _norm = config.NormGain ? Builder.Norm("o_norm", shape.ValueDim, NormKind.Rms, GrowthKind.None) : Norm.WithoutGain(Model.NormEpsilon);
        _lambda = [.. new[] { "lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2" }.Select(name =>
            Builder.Add(name, Layout.Of(shape.HeadDim), ParameterRole.Vector, Initializer.Normal(0.1), GrowthKind.None))];
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        .. ShapedPoints,
        new("attn.hook_v", $"B T {Shape.ValueHeads} {Shape.ValueDim}"),
        new("attn.hook_attn_scores", "B H T T"),
        new("attn.hook_pattern", "B H T T"),
        new("attn.hook_lambda", "1"),
        new("attn.hook_difference", $"B T {Shape.OutputHeads} {Shape.ValueDim}"),
        new("attn.hook_z", $"B T {Shape.OutputHeads} {Shape.ValueDim}"),
    ];

    protected override Tensor OnHeads(Tape tape, Tensor x, Tensor z)
    {
        Tensor lambda = Tap.At(tape, "hook_lambda", DifferentialLambdaOp.Record(tape, [.. _lambda.Select(tape.Use)], _start));
        Tensor difference = Tap.At(tape, "hook_difference", DifferenceOp.Record(tape, z, lambda, _apart));
        return ScaleOp.Record(tape, _norm.Forward(tape, difference), 1 - _start);
    }
}
