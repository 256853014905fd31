using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>All gradients of attention by one kernel, whose blocks add to dq by turns: right, without races, and the same bits in whatever order blocks run.</summary>
[Parallelizable]
public class OneBackwardTests
{
    /// <summary>Orders of blocks and warps: all blocks at once, fewer than there are, one after another; forwards, backwards, mixed.</summary>
    private static readonly PtxSchedule[] s_schedules =
    [
        new(), new() { Resident = 99 }, new() { Resident = 2, LastWarpFirst = true }, new() { Resident = 3, Seed = 5 }, new() { Resident = 99, Seed = 6, Completion = PtxCompletion.Random },
    ];

    private static IEnumerable<AttentionCase> Cases()
    {
        foreach (AttentionCase problem in FlashAttentionTests.Cases())
        {
            yield return problem;
        }

        // Many blocks; several heads of queries to one of keys; keys that no query sees; sinks of more than a block.
        yield return new(2, 330, 2, 1, 32);
        yield return new(1, 300, 4, 2, 128) { Window = 60, Sinks = 70, Strided = true, Accumulates = true };
        yield return new(1, 40, 1, 1, 64) { Keys = 500, Window = 90 };
        yield return new(1, 400, 1, 1, 32) { Window = 33, Sinks = 140, DocumentLength = 170 };
        yield return new(1, 60, 1, 1, 64) { Keys = 20, Kind = VisibleKind.Full };
    }

    private static IEnumerable<AttentionCase> Several() => Cases().Where(c => (c.Time > 256 || c.Keys > 256) && c.Sharpness < 10);

    [TestCaseSource(nameof(Cases))]
    public void IsThatOfTheCpu(AttentionCase problem)
    {
        foreach (DType type in new[] { DType.BFloat16, DType.Float16 })
        {
            bool isFirst = type == DType.BFloat16;
            using var rig = new FlashRig(problem, type) { IsOne = true, Schedule = isFirst ? new() { Resident = 2 } : new() { Resident = 99, LastWarpFirst = true }, SeeksRaces = isFirst };
            FlashAttentionTests.AssertIsThatOfTheCpu(problem, type, rig.Run());
            Assert.That(rig.Cycles.Lost, Is.LessThan(rig.Cycles.All / 20), "cycles lost in shared memory");
        }
    }

    [TestCaseSource(nameof(Several))]
    public void BitsAreTheSameInAnyOrder(AttentionCase problem)
    {
        float[][]? first = null;
        foreach (PtxSchedule schedule in s_schedules)
        {
            using var rig = new FlashRig(problem with { Accumulates = true }, DType.BFloat16) { IsOne = true, Schedule = schedule };
            float[][] results = rig.Run();
            first ??= results;
            Assert.That(results, Is.EqualTo(first), $"{schedule}");
        }
    }

    [Test]
    public void GradientsOfKeysAndValuesHaveTheBitsOfTheOtherKernel([Values(32, 64, 128)] int depth)
    {
        var problem = new AttentionCase(1, 200, 2, 1, depth) { Window = 90 };
        using FlashRig one = new(problem, DType.BFloat16) { IsOne = true, Schedule = new() { Resident = 2 } }, two = new(problem, DType.BFloat16);
        float[][] actual = one.Run(), expected = two.Run();
        Assert.That(actual[3..], Is.EqualTo(expected[3..]));
        Near.Assert("dq", actual[2], expected[2], 1e-2);
    }

    [Test]
    public void ItRunsFewerInstructions([Values(32, 64, 128)] int depth)
    {
        var problem = new AttentionCase(1, 384, 1, 1, depth);
        using FlashRig one = new(problem, DType.BFloat16) { IsOne = true }, two = new(problem, DType.BFloat16);
        one.Run();
        two.Run();
        long together = one.Instructions[FlashPass.Gradients], apart = two.Instructions[FlashPass.KeyGradient] + two.Instructions[FlashPass.QueryGradient];
        Assert.That(together, Is.LessThan(0.95 * apart));
    }

    [Test]
    public void NobodyWaitsWhereBlocksRunSideBySide([Values(32, 128)] int depth, [Values(0, 150)] int window)
    {
        // All blocks start at once and go on from barrier to barrier: causal attention's turns come before they are needed.
        using var rig = new FlashRig(new AttentionCase(1, 600, 2, 1, depth) { Window = window }, DType.BFloat16) { IsOne = true, Schedule = new() { Resident = 99 } };
        rig.Run();
        Assert.That(rig.Waits, Is.Zero);
    }

    [Test]
    public void WithoutGradientsOfQueriesOrOfKeysTheOthersAreComputed([Values] bool isOfQueries)
    {
        var problem = new AttentionCase(1, 70, 1, 1, 32);
        using FlashRig one = new(problem, DType.BFloat16) { IsOne = true }, two = new(problem, DType.BFloat16);
        one.Gradients = isOfQueries ? one.Gradients with { DK = default, DV = default } : one.Gradients with { DQ = default };
        float[][] actual = one.Run(), expected = two.Run();
        Assert.That(one.Instructions.Keys, Is.EqualTo(new[] { FlashPass.Forward, isOfQueries ? FlashPass.QueryGradient : FlashPass.KeyGradient }));
        int[] wanted = isOfQueries ? [2] : [3, 4];
        Assert.That(wanted.Select(i => actual[i]), Is.EqualTo(wanted.Select(i => expected[i])));
    }

    [TestCase(null, null, null)]
    [TestCase("", null, null)]
    [TestCase("one", true, null)]
    [TestCase("two", false, null)]
    [TestCase("three", null, "NANOFOLD_ATTENTION_BACKWARD=three: expected one or two (kernels of attention's backward pass on CUDA), or leave it unset")]
    public void TheVariableNamesOneOrTwo(string? value, bool? isOne, string? fault) => Assert.That((BackwardKernels.ValueOf(value), BackwardKernels.FaultOf(value)), Is.EqualTo((isOne, fault)));
}
