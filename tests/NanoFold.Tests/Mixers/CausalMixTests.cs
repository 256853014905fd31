using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Tests.Mixers;

/// <summary>The work that triangles over time take.</summary>
public class CausalMixTests
{
    [Test]
    public void LittleMoreThanTheTriangleIsMultiplied()
    {
        OpCase opCase = SpeedCases.All.First(c => c.Name.StartsWith("causal-mix gpt2", StringComparison.Ordinal));
        int[] shape = opCase.Inputs[1].Shape;
        double triangle = 2.0 * shape[0] * shape[2] * shape[1] * (shape[1] + 1) / 2;
        (KernelCost forward, KernelCost backward) = OpRunner.CostOf(opCase);
        Assert.That(forward.Flops, Is.InRange(triangle, 1.08 * triangle));
        Assert.That(backward.Flops, Is.InRange(2 * triangle, 2.16 * triangle));
    }
}
