using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Gpu.Tests.Attention;

public class TopKAttentionTests : GpuTests
{
    private static readonly string[] s_names = ["y", "log-sum-exp", "dq", "dk", "dv", "kept"];

    private static IEnumerable<object[]> Cases()
    {
        yield return [new AttentionCase(1, 1, 1, 1, 4), 3];
        yield return [new AttentionCase(2, 11, 2, 1, 8) { Accumulates = true, Strided = true }, 4];
        yield return [new AttentionCase(1, 13, 2, 2, 6) { DocumentLength = 5, ValueDepth = 7 }, 3];
        yield return [new AttentionCase(1, 9, 1, 1, 8) { Keys = 14 }, 20];
        yield return [new AttentionCase(1, 14, 2, 1, 8) { Window = 6, Sinks = 2 }, 4];
        yield return [new AttentionCase(1, 14, 1, 1, 8) { Kind = VisibleKind.Full, Window = 4, Sinks = 6, DocumentLength = 8 }, 3];
        yield return [new AttentionCase(2, 9, 1, 1, 8) { Kind = VisibleKind.Prefix, Prefix = 6 }, 3];
        if (!IsSimulated)
        {
            yield return [Exact(new AttentionCase(2, 150, 4, 2, 64) { Strided = true }), 16];
            yield return [Exact(new AttentionCase(1, 70, 2, 2, 160)), 32];
        }
    }

    /// <summary>
    /// The inputs are multiples of 1/32, so that with a power of two for the scale all scores are exact in any order: among many keys some are equal,
    /// and which of these is kept must not depend on rounding.
    /// </summary>
    private static AttentionCase Exact(AttentionCase problem) => problem with { Sharpness = Math.Sqrt(problem.Depth) / 8 };

    [TestCaseSource(nameof(Cases))]
    public void IsThatOfTheCpu(AttentionCase problem, int keep)
    {
        foreach (DType type in new[] { DType.Float32, DType.BFloat16, DType.Float16 })
        {
            using var gpu = new AttentionRig(Gpu, problem, type);
            using var cpu = new AttentionRig(Cpu, problem, DType.Float32);
            float[][] actual = gpu.Run(keep);
            float[][] expected = cpu.Run(keep);
            for (int i = 0; i < actual.Length; i++)
            {
                Near.Assert($"{type} {s_names[i]}", actual[i], expected[i], i == 5 ? 0 : Near.Tolerance(type) * (i < 2 ? 1 : 3));
            }

            gpu.AssertMargins();
        }
    }

    [Test]
    public void EqualScoresKeepTheSmallerIndex()
    {
        using var rig = new AttentionRig(Gpu, new(1, 6, 1, 1, 4), DType.Float32);
        Gpu.Fill(rig.K, 1);
        float[] kept = rig.Run(2)[5];
        Assert.That(kept, Is.EqualTo(new float[] { 0, -1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1 }));
    }
}
