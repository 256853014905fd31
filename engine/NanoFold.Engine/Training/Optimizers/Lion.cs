using System.Runtime.CompilerServices;
using NanoFold.Engine.Configuration;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Training;

/// <summary>Lion: every element moves by the rate, in the direction of the sign of its momentum; decoupled weight decay. Half of Adam's memory.</summary>
public sealed record LionConfig : OptimizerConfig
{
    /// <summary>The share of the momentum in what decides about the sign; the rest is the gradient's.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>The average of gradients: the share of the past.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Beta2 { get; init; } = 0.99;

    /// <inheritdoc/>
    /// <remarks>Of nano the best of a few that were tried over 300 steps; of gpt2 by its authors' rule, a rate a few times smaller than AdamW's and as much more decay.</remarks>
    public override OptimizerDefaults Defaults(string preset) => preset == "gpt2" ? new(1e-4, 1, 700) : new(1e-3, 0.5, 100);

    /// <inheritdoc/>
    public override UpdateRule Build(OptimizerBuilder builder) => new ElementRule<LionFormula>(builder, "lion", new(Beta1, Beta2), ["momentum"]);
}

/// <summary>p ← p − rate · (sign(β₁ m + (1 − β₁) g) + decay · p), then m ← β₂ m + (1 − β₂) g (arXiv 2302.06675); the sign of 0 is 0.</summary>
internal readonly struct LionFormula(double beta1, double beta2) : IUpdateFormula
{
    public static int Slots => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ElementUpdate<V> Invoke<V>(ElementUpdate<V> x, UpdateFactors<V> factors)
        where V : struct, ILane<V>
    {
        V zero = V.Constant(0), one = V.Constant(1);
        V direction = V.MultiplyAdd(V.Constant(beta1), x.First, V.Constant(1 - beta1) * x.Gradient);
        V sign = V.SelectGreater(direction, zero, one, V.SelectGreater(zero, direction, -one, zero));
        x.First = V.MultiplyAdd(V.Constant(beta2), x.First, V.Constant(1 - beta2) * x.Gradient);
        x.Parameter = x.Parameter - factors.Rate * V.MultiplyAdd(factors.Decay, x.Parameter, sign);
        return x;
    }
}
