using System.Runtime.CompilerServices;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Training;

/// <summary>Stochastic gradient descent with momentum. Weight decay is added to the gradient (L2), before the momentum.</summary>
public sealed record SgdConfig : OptimizerConfig
{
    /// <summary>How much of the sum of past gradients stays from step to step; 0 for none, and no memory of them.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Momentum { get; init; } = 0.9;

    /// <summary>Steps from where the momentum will lead.</summary>
    public bool Nesterov { get; init; }

    /// <inheritdoc/>
    public override double RateFactor(Parameter parameter) => parameter.Growth.OfGradient;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path)
        => Nesterov && Momentum == 0 ? [new ConfigProblem($"{path}.nesterov", $"has no effect without {path}.momentum")] : [];

    /// <inheritdoc/>
    /// <remarks>Of nano the best of a few that were tried over 300 steps.</remarks>
    public override OptimizerDefaults Defaults(string preset) => new(0.3, 0, 100);

    /// <inheritdoc/>
    public override UpdateRule Build(OptimizerBuilder builder) => Momentum == 0
        ? new ElementRule<SgdFormula>(builder, "sgd", default, [])
        : new ElementRule<MomentumFormula>(builder, "sgd", new(Momentum, Nesterov ? 1 : 0, Nesterov ? Momentum : 1), ["momentum"]);
}

/// <summary>p ← p − rate · (g + decay · p).</summary>
internal readonly struct SgdFormula : IUpdateFormula
{
    public static int Slots => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ElementUpdate<V> Invoke<V>(ElementUpdate<V> x, UpdateFactors<V> factors)
        where V : struct, ILane<V>
    {
        x.Parameter = x.Parameter - factors.Rate * V.MultiplyAdd(factors.Decay, x.Parameter, x.Gradient);
        return x;
    }
}

/// <summary>
/// g ← g + decay · p, m ← μ m + g, p ← p − rate · (a g + b m): a = 0 and b = 1, or, of Nesterov, a = 1 and b = μ. As PyTorch has it: the first m is the gradient.
/// </summary>
internal readonly struct MomentumFormula(double momentum, double ofGradient, double ofMomentum) : IUpdateFormula
{
    public static int Slots => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ElementUpdate<V> Invoke<V>(ElementUpdate<V> x, UpdateFactors<V> factors)
        where V : struct, ILane<V>
    {
        V gradient = V.MultiplyAdd(factors.Decay, x.Parameter, x.Gradient);
        x.First = V.MultiplyAdd(V.Constant(momentum), x.First, gradient);
        x.Parameter = x.Parameter - factors.Rate * V.MultiplyAdd(V.Constant(ofGradient), gradient, V.Constant(ofMomentum) * x.First);
        return x;
    }
}
