using System.Runtime.CompilerServices;
using NanoFold.Engine.Configuration;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Training;

/// <summary>AdamW with a second, slow average of gradients, so that old ones still count.</summary>
public sealed record AdEMAMixConfig : OptimizerConfig
{
    /// <summary>The fast average of gradients: the share of the past.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>The average of squared gradients: the share of the past.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Beta2 { get; init; } = 0.999;

    /// <summary>The slow average of gradients: the share of the past.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Beta3 { get; init; } = 0.9999;

    /// <summary>The weight of the slow average beside the fast one.</summary>
    [Bounds(0)]
    public double Alpha { get; init; } = 5;

    /// <summary>What is added to the root of the squared gradients.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double Epsilon { get; init; } = 1e-8;

    /// <inheritdoc/>
    public override OptimizerDefaults Defaults(string preset) => new AdamWConfig().Defaults(preset);

    /// <inheritdoc/>
    public override UpdateRule Build(OptimizerBuilder builder) => new ElementRule<AdEMAMixFormula>(
        builder, "ademamix", new(Beta1, Beta2, Beta3, Alpha, Epsilon), ["first", "slow", "second"],
        step => 1 / (1 - PortableMath.Pow(Beta1, step)), step => 1 / (1 - PortableMath.Pow(Beta2, step)));
}

/// <summary>
/// m ← β₁ m + (1 − β₁) g, n ← β₃ n + (1 − β₃) g, v ← β₂ v + (1 − β₂) g², p ← p − rate · ((m̂ + α n) / (√v̂ + ε) + decay · p), m̂ = A m and v̂ = B v without the bias
/// of their start (arXiv 2409.03137, with constant α and β₃).
/// </summary>
internal readonly struct AdEMAMixFormula(double beta1, double beta2, double beta3, double alpha, double epsilon) : IUpdateFormula
{
    public static int Slots => 3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ElementUpdate<V> Invoke<V>(ElementUpdate<V> x, UpdateFactors<V> factors)
        where V : struct, ILane<V>
    {
        V gradient = x.Gradient;
        x.First = V.MultiplyAdd(gradient - x.First, V.Constant(1 - beta1), x.First);
        x.Second = V.MultiplyAdd(gradient - x.Second, V.Constant(1 - beta3), x.Second);
        x.Third = V.MultiplyAdd(gradient * gradient - x.Third, V.Constant(1 - beta2), x.Third);
        V direction = V.MultiplyAdd(V.Constant(alpha), x.Second, x.First * factors.A);
        V step = direction / (V.Sqrt(x.Third * factors.B) + V.Constant(epsilon));
        x.Parameter = x.Parameter - factors.Rate * V.MultiplyAdd(factors.Decay, x.Parameter, step);
        return x;
    }
}
