using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Attention.Hopper;

/// <summary>All gradients of attention by warpgroups, run by the machine and compared with the CPU's: right, without races, and the same bits in whatever order blocks and warps run.</summary>
[Parallelizable]
internal sealed class HopperGradientTests
{
    /// <summary>All blocks at once, fewer than there are, one after another; each warpgroup that computes, or the warp that copies, held back.</summary>
    private static readonly PtxSchedule[] s_blocks =
    [
        new() { Resident = 99 }, new() { Resident = 2, LastWarpFirst = true }, new() { Resident = 3, Seed = 5 }, new() { Resident = 99, Seed = 6, Completion = PtxCompletion.Random },
        new() { Resident = 99, Held = (4, 8) }, new() { Resident = 2, Held = (8, 12), Completion = PtxCompletion.Earliest }, new() { Held = (0, 1) },
    ];

    private static IEnumerable<AttentionCase> Cases()
    {
        foreach (AttentionCase problem in FlashAttentionTests.Cases())
        {
            yield return problem;
        }

        // More steps than stages; several heads of queries to one of keys; keys that no query sees; sinks of more than a block; queries after the last whole block.
        yield return new(1, 600, 1, 1, 64);
        yield return new(2, 330, 4, 2, 128) { Strided = true, Accumulates = true };
        yield return new(1, 300, 4, 2, 128) { Window = 60, Sinks = 140 };
        yield return new(1, 40, 1, 1, 64) { Keys = 500, Window = 90 };
        yield return new(1, 70, 1, 1, 64) { Keys = 700, Kind = VisibleKind.Full };
        yield return new(1, 400, 1, 1, 64) { Window = 33, Sinks = 140, DocumentLength = 170 };
        yield return new(1, 400, 2, 1, 128) { Window = 50, DocumentLength = 150, Accumulates = true };
        yield return new(1, 60, 1, 1, 64) { Keys = 20, Kind = VisibleKind.Full };
        yield return new(1, 500, 1, 1, 64) { Kind = VisibleKind.Prefix, Prefix = 300, Window = 40, Sinks = 5 };
    }

    private static IEnumerable<AttentionCase> Several() =>
    [
        new(1, 420, 1, 1, 64) { Window = 200, Sinks = 2 }, new(1, 300, 2, 1, 128), new(1, 330, 1, 1, 32) { Kind = VisibleKind.Full }, new(1, 400, 1, 1, 64) { DocumentLength = 150 },
    ];

    [TestCaseSource(nameof(Cases))]
    public void AreThoseOfTheCpu(AttentionCase problem)
    {
        foreach (DType type in new[] { DType.BFloat16, DType.Float16 })
        {
            bool isFirst = type == DType.BFloat16;
            using var rig = new FlashRig(problem, type)
            {
                IsBackwardByWarpgroups = true, SeeksRaces = isFirst,
                Schedule = isFirst ? new() { Resident = 2 } : new() { Resident = 99, LastWarpFirst = true, Completion = PtxCompletion.Earliest },
            };
            FlashAttentionTests.AssertIsThatOfTheCpu(problem, type, rig.Run());
            Assert.That(rig.BackwardWarpgroupLaunches, Is.EqualTo(1));
        }
    }

    [TestCaseSource(nameof(Several))]
    public void TheOrderChangesNoBit(AttentionCase problem)
    {
        using var rig = new FlashRig(problem, DType.BFloat16) { IsBackwardByWarpgroups = true };
        float[][]? first = null;
        rig.Forward();
        foreach (PtxSchedule schedule in PtxSchedule.All(4).Concat(s_blocks))
        {
            rig.Schedule = schedule;
            float[][] results = rig.Backward();
            first ??= results;
            Assert.That(results, Is.EqualTo(first), $"{schedule}");
        }
    }

    [Test]
    public void LanesDoNotMeetInBanks([Values(64, 128)] int depth)
    {
        using var rig = new FlashRig(new AttentionCase(1, 192, 1, 1, depth), DType.BFloat16) { IsByWarpgroups = true, IsBackwardByWarpgroups = true };
        rig.Run();
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
            using var rig = new FlashRig(problem, DType.BFloat16) { IsBackwardByWarpgroups = true };
            rig.Backward();

            // Keys and values once for each block of keys.
            return rig.Loads - (2 * (depth / 64) * (problem.Time / HopperGradientSpec.Keys));
        }
    }

    [Test]
    public void NobodyWaitsWhereBlocksRunSideBySide([Values(32, 128)] int depth, [Values(0, 150)] int window)
    {
        // All blocks start at once: causal attention's turns come before they are needed.
        using var rig = new FlashRig(new AttentionCase(1, 600, 2, 1, depth) { Window = window }, DType.BFloat16) { IsBackwardByWarpgroups = true, Schedule = new() { Resident = 99 } };
        rig.Run();
        Assert.That(rig.Waits, Is.Zero);
    }

    [Test]
    public void WithoutGradientsOfQueriesOrOfKeysTheOthersAreComputed([Values] bool isOfQueries)
    {
        var problem = new AttentionCase(1, 70, 1, 1, 32);
        using FlashRig wide = new(problem, DType.BFloat16) { IsBackwardByWarpgroups = true }, two = new(problem, DType.BFloat16);
        wide.Gradients = isOfQueries ? wide.Gradients with { DK = default, DV = default } : wide.Gradients with { DQ = default };
        float[][] actual = wide.Run(), expected = two.Run();
        Assert.That(wide.BackwardWarpgroupLaunches, Is.Zero);
        int[] wanted = isOfQueries ? [2] : [3, 4];
        Assert.That(wanted.Select(i => actual[i]), Is.EqualTo(wanted.Select(i => expected[i])));
    }

    [Test]
    public void GradientsOfKeysOrOfValuesAloneAreComputedWithThoseOfQueries([Values] bool isOfKeys)
    {
        var problem = new AttentionCase(1, 150, 1, 1, 64);
        using FlashRig some = new(problem, DType.BFloat16) { IsBackwardByWarpgroups = true }, all = new(problem, DType.BFloat16) { IsBackwardByWarpgroups = true };
        some.Gradients = isOfKeys ? some.Gradients with { DV = default } : some.Gradients with { DK = default };
        float[][] actual = some.Run(), expected = all.Run();
        Assert.That((some.BackwardWarpgroupLaunches, actual[2], actual[isOfKeys ? 3 : 4]), Is.EqualTo((1, expected[2], expected[isOfKeys ? 3 : 4])));
    }

    [Test]
    public void WhatRepeatsInMemoryIsForTheOtherKernels()
    {
        using var backend = new NanoFold.Kernels.Cpu.CpuBackend(1);
        using var rig = new AttentionRig(backend, new AttentionCase(2, 40, 2, 2, 64), DType.BFloat16);
        var shape = new AttentionShape("attention", rig.Args);
        AttentionGradients gradients = rig.Gradients(0);
        Assert.That(HopperGradientRun.Fits(shape, rig.Args, gradients), Is.True);
        View repeated = rig.DY.With(rig.DY.Layout.Slice(0, 0, 1, out _).BroadcastTo(rig.DY.Layout));
        Assert.That(HopperGradientRun.Fits(shape, rig.Args, gradients with { DY = repeated }), Is.False);
    }

    [Test]
    public void SharedMemoryHasRoomForAKernelOfEachHeadDimension([Values(24, 64, 96, 128)] int depth)
    {
        HopperGradientSpec spec = HopperGradientSpec.Of(GpuType.BFloat16, depth, hasPrefix: false, documents: false);
        Assert.That(spec.SharedBytes, Is.LessThanOrEqualTo(227 * 1024));
        Assert.That((spec.QueriesAt % 1024, spec.StageBytes % 1024, spec.BitsAt % 1024, spec.BarriersAt % 8), Is.EqualTo((0, 0, 0, 0)));
    }
}
