using System.Runtime.CompilerServices;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace Outside;

/// <summary>p −= rate · (m / (|m| + softness) + decay · p) with m an average of gradients: Lion's sign, without its jump.</summary>
public sealed record SoftSignConfig : OptimizerConfig
{
    /// <summary>The average's share of the past.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Momentum { get; init; } = 0.9;

    /// <summary>What averages are half a step at.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double Softness { get; init; } = 1e-3;

    /// <inheritdoc/>
    public override OptimizerDefaults Defaults(string preset) => new(LearningRate: 1e-3, WeightDecay: 0.1, Warmup: 20);

    /// <inheritdoc/>
    public override UpdateRule Build(OptimizerBuilder builder) => new ElementRule<SoftSign>(builder, "soft-sign", new(Momentum, Softness), ["average"]);
}

/// <summary>Of one element; written once for every device.</summary>
internal readonly struct SoftSign(double momentum, double softness) : IUpdateFormula
{
    public static int Slots => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ElementUpdate<V> Invoke<V>(ElementUpdate<V> x, UpdateFactors<V> factors)
        where V : struct, ILane<V>
    {
        x.First = (V.Constant(momentum) * x.First) + (V.Constant(1 - momentum) * x.Gradient);
        x.Parameter -= factors.Rate * ((x.First / (V.Abs(x.First) + V.Constant(softness))) + (factors.Decay * x.Parameter));
        return x;
    }
}
