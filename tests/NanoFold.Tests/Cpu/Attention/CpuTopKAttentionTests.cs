using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Attention.Listed;

namespace NanoFold.Tests.Cpu.Attention;

public sealed class CpuTopKAttentionTests
{
    private static readonly Isa[] s_paths = [Isa.Scalar, Isa.Vector128, Isa.Vector256, Isa.Vector512];

    [Test]
    public void MatchesTheDefinition([ValueSource(nameof(s_paths))] Isa isa, [Values(1, 2, 9, 33, 70)] int time, [Values(1, 4, 40)] int topK) =>
        Verify(isa, new AttentionReference(2, time, 4, 2, 13) { TopK = Math.Min(topK, time) });

    [Test]
    public void SeesOnlyItsDocument([ValueSource(nameof(s_paths))] Isa isa)
    {
        int[] documents = [.. Enumerable.Range(0, 2 * 131).Select(i => i % 131 / 100)];
        Verify(isa, new AttentionReference(2, 131, 2, 1, 12) { TopK = 7, Documents = documents });
    }

    [Test]
    public void AddsPartialSumsOfLongSequences() => Verify(IsaExtensions.Best, new AttentionReference(1, 450, 2, 1, 8) { TopK = 11 });

    [Test]
    public void Float64AgreesToTwelveDigits()
    {
        var reference = new AttentionReference(2, 40, 4, 2, 9) { TopK = 6 };
        using var rig = new AttentionRig(reference, DType.Float64, strided: true);
        using var context = new CpuContext(2, IsaExtensions.Best);
        rig.Forward(context);
        rig.Backward(context);
        rig.AssertMatches(1e-12);
    }

    [Test]
    public void TheSmallestIndexWinsAmongEquals([ValueSource(nameof(s_paths))] Isa isa)
    {
        var reference = new AttentionReference(1, 100, 1, 1, 5) { TopK = 4 };
        using var rig = new AttentionRig(reference);
        using var context = new CpuContext(1, isa);
        // Keys repeat every 25 positions, so every score comes up to four times.
        for (int j = 25 * 5; j < rig.K.Count; j++)
        {
            rig.K[j] = rig.K[j - (25 * 5)];
        }

        rig.Forward(context);
        for (int t = 0; t < 100; t++)
        {
            double[] q = [.. Enumerable.Range(0, 5).Select(d => rig.Q[(t * 5) + d])];
            // Exact order of the 25 distinct keys, then the index.
            int[] expected = [.. Enumerable.Range(0, t + 1)
                .OrderByDescending(j => Enumerable.Range(0, 5).Sum(d => q[d] * rig.K[(j % 25 * 5) + d]))
                .ThenBy(j => j).Take(4).Order()];
            int[] kept = [.. Enumerable.Range(0, 4).Select(i => (int)rig.Kept[(t * 4) + i]).Where(j => j >= 0)];
            Assert.That(kept, Is.EqualTo(expected));
        }

        Assert.That(rig.Kept[1], Is.EqualTo(-1), "the first row sees one key");
    }

    [Test]
    public void AddsToGradientsWhenAsked()
    {
        using var rig = new AttentionRig(new AttentionReference(1, 60, 2, 1, 10) { TopK = 5 });
        using var context = new CpuContext(2, IsaExtensions.Best);
        foreach (GuardedTensor gradient in new[] { rig.DQ, rig.DK, rig.DV })
        {
            gradient.Fill(_ => 0.5);
        }

        rig.Forward(context);
        rig.Backward(context, accumulate: true);
        rig.AssertMatches(2e-5, before: 0.5);
    }

    [Test]
    public void BitsDoNotDependOnThreads()
    {
        var reference = new AttentionReference(2, 420, 4, 2, 24) { TopK = 20 };
        using var one = new AttentionRig(reference);
        using (var context = new CpuContext(1, IsaExtensions.Best))
        {
            one.Forward(context);
            one.Backward(context);
        }

        foreach (int threads in new[] { 2, 3, 7 })
        {
            using var many = new AttentionRig(reference);
            using var context = new CpuContext(threads, IsaExtensions.Best);
            many.Forward(context);
            many.Backward(context);
            Assert.That(many.Y.ToArray(), Is.EqualTo(one.Y.ToArray()));
            Assert.That(many.Kept.ToArray(), Is.EqualTo(one.Kept.ToArray()));
            Assert.That(many.DQ.ToArray(), Is.EqualTo(one.DQ.ToArray()));
            Assert.That(many.DK.ToArray(), Is.EqualTo(one.DK.ToArray()));
            Assert.That(many.DV.ToArray(), Is.EqualTo(one.DV.ToArray()));
        }
    }

    [Test]
    public void AScoreThatIsNotANumberShows([Values(0, 3, 40)] int key)
    {
        using var rig = new AttentionRig(new AttentionReference(1, 70, 1, 1, 8) { TopK = 3 });
        using var context = new CpuContext(1, IsaExtensions.Best);
        rig.K[key * 8] = double.NaN;
        rig.Forward(context);
        Assert.That(rig.Y.ToArray()[..(key * 8)], Has.All.Not.NaN);
        Assert.That(rig.Y.ToArray()[(key * 8)..], Has.All.NaN);
    }

    [Test]
    public void RunsWithoutManagedAllocation()
    {
        using var rig = new AttentionRig(new AttentionReference(1, 450, 2, 1, 19) { TopK = 9 });
        using var context = new CpuContext(2, IsaExtensions.Best);
        rig.Forward(context);
        rig.Backward(context);
        using var selection = new CpuKeySelection(context);
        using var attention = new CpuKeyListAttention(context);
        rig.Select(selection);
        long before = GC.GetAllocatedBytesForCurrentThread();
        rig.Select(selection);
        attention.Run(new KeyListAttentionCall(rig.Args, rig.Lists));
        attention.Run(new KeyListAttentionBackwardCall(rig.Args, rig.Lists, rig.Gradients()));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void RefusesBlockTablesAndWrongShapes()
    {
        int[][] blocks = [.. Enumerable.Repeat(new[] { 0 }, 2 * 3)];
        using var rig = new AttentionRig(new AttentionReference(1, 12, 2, 1, 8) { TopK = 3, Blocks = blocks, QuerySize = 4, KeySize = 4 });
        using var plain = new AttentionRig(new AttentionReference(1, 12, 2, 1, 8) { TopK = 3 });
        using var context = new CpuContext(1, IsaExtensions.Best);
        using var selection = new CpuKeySelection(context);
        using var attention = new CpuKeyListAttention(context);
        Assert.That(() => rig.Select(selection), Throws.ArgumentException.With.Message.Contains("a block table is not for it"));
        Assert.That(() => attention.Run(new KeyListAttentionCall(rig.Args, rig.Lists)), Throws.ArgumentException.With.Message.Contains("a block table is not for it"));
        Assert.That(() => attention.Run(new KeyListAttentionCall(plain.Args, plain.Lists with { Lists = plain.Kept.View })), Throws.ArgumentException.With.Message.Contains("kept must have 4 dimensions"));
    }

    private static void Verify(Isa isa, AttentionReference reference)
    {
        using var rig = new AttentionRig(reference, strided: true);
        using var context = new CpuContext(2, isa);
        rig.Forward(context);
        rig.Backward(context);
        rig.AssertMatches(2e-5);
    }
}
