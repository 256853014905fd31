using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>The text of the tensor-core kernels, run on the host against the CPU's attention.</summary>
[Parallelizable]
public class FlashAttentionTests
{
    private static readonly string[] s_names = ["y", "log-sum-exp", "dq", "dk", "dv"];

    internal static IEnumerable<AttentionCase> Cases()
    {
        yield return new(1, 1, 1, 1, 32);
        yield return new(1, 150, 2, 1, 64) { Accumulates = true, Strided = true };
        yield return new(2, 70, 1, 1, 64) { Strided = true };
        yield return new(1, 129, 1, 1, 128) { Accumulates = true };
        yield return new(1, 200, 1, 1, 32) { Window = 40, Sinks = 3 };
        yield return new(1, 300, 1, 1, 64) { Window = 70 };
        yield return new(1, 140, 2, 2, 64) { DocumentLength = 45 };

        // From token 100 on nothing of the first block of keys is seen.
        yield return new(1, 128, 1, 1, 64) { DocumentLength = 50 };
        yield return new(1, 140, 2, 2, 128) { DocumentLength = 45, Window = 30, Sinks = 1 };
        yield return new(1, 60, 1, 1, 64) { Keys = 190 };
        yield return new(1, 60, 1, 1, 64) { Keys = 190, Kind = VisibleKind.Full };
        yield return new(2, 150, 1, 1, 64) { Kind = VisibleKind.Prefix, Prefix = 90 };
        yield return new(1, 200, 1, 1, 32) { Kind = VisibleKind.Prefix, Prefix = 120, Window = 30, Sinks = 50 };
        yield return new(1, 200, 1, 1, 32) { Kind = VisibleKind.Full, Window = 20, Sinks = 90 };
        yield return new(1, 140, 1, 1, 128) { Kind = VisibleKind.Full, DocumentLength = 45 };
        yield return new(1, 130, 1, 1, 32) { DocumentLength = 45, Interleaved = true };
        yield return new(1, 60, 1, 1, 32) { Keys = 190, DocumentLength = 70, Window = 50, Kind = VisibleKind.Prefix, Prefix = 150 };
        yield return new(1, 230, 1, 1, 64) { Sharpness = 10 };
        yield return new(1, 70, 3, 1, 24);
        yield return new(1, 70, 1, 1, 96);
    }

    [TestCaseSource(nameof(Cases))]
    public void IsThatOfTheCpu(AttentionCase problem)
    {
        foreach (DType type in new[] { DType.BFloat16, DType.Float16 })
        {
            using var rig = new FlashRig(problem, type) { Schedule = new() { LastWarpFirst = type == DType.Float16 }, SeeksRaces = type == DType.Float16 };
            AssertIsThatOfTheCpu(problem, type, rig.Run());
            Assert.That(rig.Cycles.Lost, Is.LessThan(rig.Cycles.All / 20), "cycles lost in shared memory");
        }
    }

    [TestCase(VisibleKind.Causal)]
    [TestCase(VisibleKind.Full)]
    public void WhatADocumentCostsDoesNotDependOnTheOthers(VisibleKind kind)
    {
        // Cycles in shared memory are those of the tiles that are visited: twice as many documents take twice as many.
        long two = Cycles(2), four = Cycles(4);
        Assert.That(four, Is.EqualTo(2 * two));

        long Cycles(int documents)
        {
            using var rig = new FlashRig(new AttentionCase(1, 256 * documents, 1, 1, 32) { Kind = kind, DocumentLength = 256 }, DType.BFloat16);
            rig.Run();
            return rig.Cycles.All;
        }
    }

    [Test]
    public void WhatItCannotReadIsNotForIt()
    {
        using var backend = new CpuBackend(1);
        foreach ((AttentionCase problem, DType type) in new (AttentionCase, DType)[]
        {
            (new(1, 4, 1, 1, 64), DType.Float32), (new(1, 4, 1, 1, 20), DType.BFloat16), (new(1, 4, 1, 1, 136), DType.BFloat16),
            (new(1, 4, 1, 1, 64) { ValueDepth = 32 }, DType.BFloat16), (new(1, 4, 1, 1, 64) { QuerySize = 2, KeySize = 2 }, DType.BFloat16),
        })
        {
            using var rig = new AttentionRig(backend, problem, type);
            Assert.That(FlashRun.Fits(new FlashMachine([], []), new AttentionShape("attention", rig.Args), rig.Args), Is.False, $"{problem}");
        }
    }

    /// <summary>Compares with single precision.</summary>
    internal static void AssertIsThatOfTheCpu(AttentionCase problem, DType type, float[][] actual)
    {
        using var backend = new CpuBackend(1);
        using var cpu = new AttentionRig(backend, problem, DType.Float32);
        float[][] expected = cpu.Run();
        for (int i = 0; i < actual.Length; i++)
        {
            Near.Assert($"{type} {s_names[i]}", actual[i], expected[i], Near.Tolerance(type) * (i < 2 ? 1 : 3));
        }
    }
}
