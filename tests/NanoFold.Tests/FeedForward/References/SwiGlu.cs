using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

internal sealed class SwiGlu() : Dense<SwiGluConfig>(isGated: true, x => x * NaiveLayer.Sigmoid(x))
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("swiglu with factors", small with { FeedForward = SwiGluConfig.Tiny with { PreScale = 1.5, OutputScale = 0.4 } })];
}

internal sealed class ClampedSwiGlu() : Dense<ClampedSwiGluConfig>(isGated: true, x => x)
{
    public override double[] Activate(double[]? gate, double[] up) => [.. gate!.Zip(up, (g, u) => (Math.Clamp(u, -7, 7) + 1) * Math.Min(g, 7) * NaiveLayer.Sigmoid(1.702 * Math.Min(g, 7)))];
}
