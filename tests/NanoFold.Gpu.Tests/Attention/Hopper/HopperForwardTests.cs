using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

namespace NanoFold.Gpu.Tests.Attention.Hopper;

/// <summary>Attention forward by warpgroups, run by the machine and compared with the CPU's; the gradients after it are those of the other kernels.</summary>
[Parallelizable]
internal sealed class HopperForwardTests
{
    private static IEnumerable<AttentionCase> Cases()
    {
        foreach (AttentionCase problem in FlashAttentionTests.Cases())
        {
            yield return problem;
        }

        // More steps than stages; several heads of queries to one of keys; keys that no query sees; sinks of more than a step; queries after the last whole warpgroup.
        yield return new(1, 600, 1, 1, 64);
        yield return new(2, 330, 4, 2, 128) { Strided = true };
        yield return new(1, 300, 4, 2, 128) { Window = 60, Sinks = 140 };
        yield return new(1, 40, 1, 1, 64) { Keys = 500, Window = 90 };
        yield return new(1, 70, 1, 1, 64) { Keys = 700, Kind = VisibleKind.Full };
        yield return new(1, 400, 1, 1, 64) { Window = 33, Sinks = 140, DocumentLength = 170 };
        yield return new(1, 60, 1, 1, 64) { Keys = 20, Kind = VisibleKind.Full };
        yield return new(1, 500, 1, 1, 64) { Kind = VisibleKind.Prefix, Prefix = 300, Window = 40, Sinks = 5 };
    }

    [TestCaseSource(nameof(Cases))]
    public void IsThatOfTheCpu(AttentionCase problem)
    {
        foreach (DType type in new[] { DType.BFloat16, DType.Float16 })
        {
            bool isFirst = type == DType.BFloat16;
            using var rig = new FlashRig(problem, type)
            {
                IsByWarpgroups = true, IsOne = isFirst, Schedule = isFirst ? new() { Resident = 2 } : new() { LastWarpFirst = true, Completion = PtxCompletion.Earliest },
            };
            FlashAttentionTests.AssertIsThatOfTheCpu(problem, type, rig.Run());
            Assert.That(rig.BackwardWarpgroupLaunches, Is.Zero, "the backward pass by warps");
        }
    }

    [Test]
    public void TheOrderChangesNoBit([Values(64, 128)] int depth)
    {
        float[][]? first = null;
        foreach (PtxSchedule schedule in PtxSchedule.All(4))
        {
            using var rig = new FlashRig(new AttentionCase(1, 420, 1, 1, depth) { Window = 200, Sinks = 2 }, DType.BFloat16) { IsByWarpgroups = true, Schedule = schedule };
            float[][] results = rig.Forward();
            first ??= results;
            Assert.That(results, Is.EqualTo(first), $"{schedule}");
        }
    }

    [Test]
    public void LanesDoNotMeetInBanks([Values(64, 128)] int depth)
    {
        using var rig = new FlashRig(new AttentionCase(1, 192, 1, 1, depth), DType.BFloat16) { IsByWarpgroups = true };
        rig.Forward();
        Assert.That(rig.Cycles, Is.EqualTo((rig.Cycles.All, 0L)));
    }

    [Test]
    public void BlocksThatNobodySeesAreLeftOut([Values(64, 128)] int depth)
    {
        // Of twice as many documents, and of twice as many queries with a window, about twice the steps; without either nearly four times.
        Assert.Multiple(() =>
        {
            Assert.That(Steps(new(1, 1536, 1, 1, depth) { DocumentLength = 384 }), Is.EqualTo(2 * Steps(new(1, 768, 1, 1, depth) { DocumentLength = 384 })));
            Assert.That(Steps(new(1, 1536, 1, 1, depth) { Window = 100 }), Is.LessThan(2.2 * Steps(new(1, 768, 1, 1, depth) { Window = 100 })));
            Assert.That(Steps(new(1, 1536, 1, 1, depth)), Is.GreaterThan(3 * Steps(new(1, 768, 1, 1, depth))));
        });

        long Steps(AttentionCase problem)
        {
            using var rig = new FlashRig(problem, DType.BFloat16) { IsByWarpgroups = true };
            rig.Forward();
            return rig.Loads;
        }
    }

    [Test]
    public void WhatRepeatsInMemoryIsForTheOtherKernel([Values(0, 2)] int axis)
    {
        using var backend = new NanoFold.Kernels.Cpu.CpuBackend(1);
        using var rig = new AttentionRig(backend, new AttentionCase(2, 40, 2, 2, 64), DType.BFloat16);
        Assert.That(HopperRun.Fits(rig.Args), Is.True);
        View repeated = rig.K.With(rig.K.Layout.Slice(axis, 0, 1, out _).BroadcastTo(rig.K.Layout));
        Assert.That(HopperRun.Fits(rig.Args with { K = repeated }), Is.False);
    }

    [TestCase(24, false, false, 3, 128)]
    [TestCase(64, false, false, 3, 128)]
    [TestCase(64, true, false, 2, 128)]
    [TestCase(96, false, false, 2, 128)]
    [TestCase(128, true, true, 2, 64)]
    public void AKernelIsChosenByItsRegisters(int depth, bool hasPrefix, bool documents, int consumers, int columns)
    {
        HopperSpec spec = HopperSpec.Of(Kernels.Gpu.Ptx.GpuType.BFloat16, depth, hasPrefix, documents);
        Assert.That((spec.Consumers, spec.Columns), Is.EqualTo((consumers, columns)));
        Assert.That(128 * (spec.Registers.Producer + spec.Consumers * spec.Registers.Consumer), Is.LessThanOrEqualTo(65536));
        Assert.That(HopperSpec.GroupRows * (spec.Consumers - 1), Is.LessThanOrEqualTo(spec.Columns), "steps that are handed back one after the other");
        Assert.That(spec.SharedBytes, Is.LessThanOrEqualTo(227 * 1024));
    }
}
