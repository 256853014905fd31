using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Attention.Full;

namespace NanoFold.Tests.Cpu.Attention;

[Parallelizable]
public sealed class CpuFusedAttentionTests
{
    private static readonly Isa[] s_paths = [Isa.Scalar, Isa.Vector128, Isa.Vector256, Isa.Vector512];

    private static readonly int[] s_times = [1, 2, 3, 5, 6, 7, 13, 31, 64, 65, 97, 129];

    private static readonly int[] s_depths = [1, 3, 7, 16, 17, 24, 32, 33, 48, 64, 80, 96, 128];

    [Test]
    public void MatchesTheDefinitionAtEveryLength([ValueSource(nameof(s_paths))] Isa isa, [ValueSource(nameof(s_times))] int time) =>
        Verify(isa, new AttentionReference(2, time, 2, 1, 20));

    [Test]
    public void MatchesTheDefinitionAtEveryDepth([ValueSource(nameof(s_paths))] Isa isa, [ValueSource(nameof(s_depths))] int depth) =>
        Verify(isa, new AttentionReference(1, 37, 2, 2, depth));

    [TestCase(1, 0, 40)]
    [TestCase(2, 0, 40)]
    [TestCase(5, 3, 40)]
    [TestCase(16, 0, 130)]
    [TestCase(17, 4, 257)]
    [TestCase(100, 4, 257)]
    [TestCase(8, 120, 257)]
    [TestCase(39, 1, 40)]
    [TestCase(40, 1, 40)]
    [TestCase(1000, 2, 40)]
    public void SeesAWindowAndSinks(int window, int sinks, int time)
    {
        foreach (Isa isa in time > 200 ? [Isa.Vector256] : s_paths)
        {
            Verify(isa, new AttentionReference(1, time, 2, 1, 16) { Window = window, Sinks = sinks });
        }
    }

    [Test]
    public void SeesOnlyItsDocument([ValueSource(nameof(s_paths))] Isa isa, [Values(0, 9)] int window, [Values(false, true)] bool sorted)
    {
        const int Time = 121;
        var random = new Random(3);
        var documents = new int[2 * Time];
        for (int i = 0; i < documents.Length; i++)
        {
            documents[i] = sorted ? i / 50 : random.Next(3) * 1_000_000_007;
        }

        Verify(isa, new AttentionReference(2, Time, 2, 1, 12) { Documents = documents, Window = window, Sinks = 2 });
    }

    /// <summary>Documents over several blocks and parts: numbered upward, downward, and coming back, in rows beside each other.</summary>
    [Test]
    public void DocumentsMayBeOfAnyLengthAndBeginAnywhere([Values] VisibleKind kind, [Values(0, 40)] int window, [Values(16, 20)] int depth)
    {
        const int Time = 431;
        var random = new Random(5);
        var documents = new int[3 * Time];
        for (int row = 0; row < 3; row++)
        {
            int[] numbers = [.. Enumerable.Range(0, Time).Select(i => row == 0 ? 2 * i : row == 1 ? -3 * i : i % 4)];
            for (int t = 0, end, n = 0; t < Time; t = end, n++)
            {
                end = Math.Min(Time, t + 1 + (random.Next(4) == 0 ? random.Next(5) : random.Next(150)));
                Array.Fill(documents, numbers[n], (row * Time) + t, end - t);
            }
        }

        Verify(IsaExtensions.Best, new AttentionReference(3, Time, 2, 1, depth) { Kind = kind, Prefixes = kind == VisibleKind.Prefix ? [50, 0, 300] : null, Documents = documents, Window = window, Sinks = 3 });
    }

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(2)]
    [TestCase(6)]
    public void HeadsShareKeysInGroups(int keyHeads) => Verify(IsaExtensions.Best, new AttentionReference(2, 50, 6, keyHeads, 16));

    [Test]
    public void SeesEveryKeyWithoutACausalMask([ValueSource(nameof(s_paths))] Isa isa) =>
        Verify(isa, new AttentionReference(1, 45, 2, 1, 10) { Kind = VisibleKind.Full });

    [TestCase(true)]
    [TestCase(false)]
    public void KeysMayOutnumberQueriesAndValuesMayBeWider(bool causal) =>
        Verify(IsaExtensions.Best, new AttentionReference(1, 30, 2, 1, 10) { Keys = 141, ValueDepth = 21, Kind = causal ? VisibleKind.Causal : VisibleKind.Full, Window = 100, Sinks = 3 });

    /// <summary>Heads of whole vectors are read and written where they lie: over one block and several, with keys that some or no query sees.</summary>
    [TestCase(64, 32, 1, 0, 0)]
    [TestCase(71, 64, 2, 0, 0)]
    [TestCase(96, 16, 1, 20, 3)]
    [TestCase(97, 32, 3, 0, 0)]
    [TestCase(161, 48, 1, 7, 2)]
    [TestCase(200, 32, 3, 50, 110)]
    [TestCase(257, 16, 3, 100, 0)]
    public void ReadsAndWritesHeadsOfWholeVectorsInPlace(int time, int depth, int keyHeads, int window, int sinks)
    {
        foreach (Isa isa in s_paths)
        {
            Verify(isa, new AttentionReference(2, time, keyHeads == 2 ? 4 : 3, keyHeads, depth) { Window = window, Sinks = sinks }, strided: time % 2 == 1);
        }
    }

    [Test]
    public void KeysThatNobodySeesHaveNoGradients([ValueSource(nameof(s_paths))] Isa isa, [Values(24, 32)] int depth)
    {
        // Keys before the window of the first query, between blocks of documents, and after the last one in a list.
        Verify(isa, new AttentionReference(1, 20, 2, 1, depth) { Keys = 260, Window = 30 });
        Verify(isa, new AttentionReference(1, 230, 2, 1, depth) { Documents = [.. Enumerable.Range(0, 230).Select(i => i / 110)], Window = 40 });
    }

    [Test]
    public void RowsThatShareLinesOfTheCacheArePacked() => Verify(IsaExtensions.Best, new AttentionReference(1, 40, 16, 16, 32));

    [Test]
    public void AddsPartialSumsOfLongSequences([Values(0, 70)] int window) =>
        Verify(IsaExtensions.Best, new AttentionReference(1, 450, 2, 1, 8) { Window = window, Sinks = 5 });

    [Test]
    public void ReadsPartsOfAFusedProjection([ValueSource(nameof(s_paths))] Isa isa) =>
        Verify(isa, new AttentionReference(2, 43, 4, 2, 24), strided: true);

    [Test]
    public void Float64AgreesToTwelveDigits()
    {
        var reference = new AttentionReference(2, 70, 4, 2, 9) { Window = 20, Sinks = 2 };
        using var rig = new AttentionRig(reference, DType.Float64, strided: true);
        using var context = new CpuContext(2, IsaExtensions.Best);
        rig.Forward(context);
        rig.Backward(context);
        rig.AssertMatches(1e-12);
    }

    [Test]
    public void GradientsAgreeWithFiniteDifferences()
    {
        var reference = new AttentionReference(1, 11, 2, 1, 5) { Window = 6, Sinks = 1 };
        using var rig = new AttentionRig(reference, DType.Float64);
        using var context = new CpuContext(1, IsaExtensions.Best);
        rig.Forward(context);
        rig.Backward(context);
        foreach ((GuardedTensor input, GuardedTensor gradient) in new[] { (rig.Q, rig.DQ), (rig.K, rig.DK), (rig.V, rig.DV) })
        {
            for (int i = 0; i < input.Count; i += 7)
            {
                double difference = (Loss(rig, context, input, i, 1e-5) - Loss(rig, context, input, i, -1e-5)) / 2e-5;
                Assert.That(gradient[i], Is.EqualTo(difference).Within(1e-8));
            }
        }
    }

    [Test]
    public void AddsToGradientsWhenAsked([Values(60, 450)] int time)
    {
        var reference = new AttentionReference(1, time, 2, 1, 10);
        using var rig = new AttentionRig(reference);
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
    public void LeavesOutGradientsThatAreNone()
    {
        var reference = new AttentionReference(1, 40, 2, 1, 10);
        using var rig = new AttentionRig(reference);
        using var context = new CpuContext(1, IsaExtensions.Best);
        rig.Forward(context);
        new CpuFusedAttention(context).Run(new AttentionBackwardCall(
            rig.Args, new() { DY = rig.DY.View, DQ = default, DK = rig.DK.View, DV = default, Scratch = default }));
        double[] only = rig.DK.ToArray();
        double untouched = rig.DQ[0];
        rig.Backward(context);
        Assert.That(rig.DK.ToArray(), Is.EqualTo(only));
        Assert.That(untouched, Is.EqualTo(-7777));
    }

    [Test]
    public void BitsDoNotDependOnThreads([ValueSource(nameof(s_paths))] Isa isa)
    {
        var reference = new AttentionReference(2, isa == IsaExtensions.Best ? 420 : 100, 4, 2, 24) { Window = 60, Sinks = 4 };
        using var one = new AttentionRig(reference);
        using (var context = new CpuContext(1, isa))
        {
            one.Forward(context);
            one.Backward(context);
        }

        foreach (int threads in new[] { 2, 3, 7 })
        {
            using var many = new AttentionRig(reference);
            using var context = new CpuContext(threads, isa);
            many.Forward(context);
            many.Backward(context);
            Assert.That(many.Y.ToArray(), Is.EqualTo(one.Y.ToArray()));
            Assert.That(many.LogSumExp.ToArray(), Is.EqualTo(one.LogSumExp.ToArray()));
            Assert.That(many.DQ.ToArray(), Is.EqualTo(one.DQ.ToArray()));
            Assert.That(many.DK.ToArray(), Is.EqualTo(one.DK.ToArray()));
            Assert.That(many.DV.ToArray(), Is.EqualTo(one.DV.ToArray()));
        }
    }

    [Test]
    public void LargeScoresNeitherOverflowNorVanish()
    {
        var reference = new AttentionReference(1, 120, 1, 1, 16);
        using var rig = new AttentionRig(reference, spread: 30);
        using var context = new CpuContext(1, IsaExtensions.Best);
        rig.Forward(context);
        rig.Backward(context);
        // Scores near 1,000 lose 2⁻¹⁴ of absolute accuracy in float32.
        rig.AssertMatches(2e-3);
    }

    [Test]
    public void AValueThatIsNotANumberIsSeenByItsReadersOnly()
    {
        const int Window = 30, Key = 101;
        using var rig = new AttentionRig(new AttentionReference(1, 300, 1, 1, 8) { Window = Window });
        using var context = new CpuContext(1, IsaExtensions.Best);
        rig.Forward(context);
        double[] clean = rig.Y.ToArray();
        rig.K[Key * 8] = double.NaN;
        rig.Forward(context);
        double[] y = rig.Y.ToArray();
        Assert.That(y[..(Key * 8)], Is.EqualTo(clean[..(Key * 8)]));
        Assert.That(y[(Key * 8)..((Key + Window) * 8)], Has.All.NaN);
        Assert.That(y[((Key + Window) * 8)..], Is.EqualTo(clean[((Key + Window) * 8)..]));
    }

    [Test]
    public void RunsWithoutManagedAllocation()
    {
        var reference = new AttentionReference(1, 450, 2, 1, 19) { Window = 100, Sinks = 3 };
        using var rig = new AttentionRig(reference);
        using var context = new CpuContext(2, IsaExtensions.Best);
        rig.Forward(context);
        rig.Backward(context);
        var attention = new CpuFusedAttention(context);
        long before = GC.GetAllocatedBytesForCurrentThread();
        attention.Run(new AttentionCall(rig.Args));
        attention.Run(new AttentionBackwardCall(rig.Args, rig.Gradients()));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void RefusesShapesThatDoNotFit()
    {
        using var rig = new AttentionRig(new AttentionReference(1, 12, 4, 2, 8));
        using var other = new AttentionRig(new AttentionReference(1, 12, 3, 3, 8));
        using var context = new CpuContext(1, IsaExtensions.Best);
        var attention = new CpuFusedAttention(context);
        Assert.That(
            () => attention.Run(new AttentionCall(new() { Q = rig.Q.View, K = rig.K.View, V = other.V.View, Y = rig.Y.View, LogSumExp = rig.LogSumExp.View, Scale = 1, Visible = default })),
            Throws.ArgumentException.With.Message.EqualTo("fused-attention: 2 key heads are not a multiple of 3 value heads"));
        Assert.That(
            () => attention.Run(new AttentionCall(new() { Q = rig.Q.View, K = other.K.View, V = other.V.View, Y = rig.Y.View, LogSumExp = rig.LogSumExp.View, Scale = 1, Visible = default })),
            Throws.ArgumentException.With.Message.Contains("4 query heads are not a multiple of 3 key heads"));
        Assert.That(
            () => attention.Run(new AttentionBackwardCall(rig.Args, new() { DY = rig.DY.View, DQ = other.Q.View, DK = default, DV = default, Scratch = default })),
            Throws.ArgumentException.With.Message.StartsWith("fused-attention-backward: dq must be"));
        using var longer = new AttentionRig(new AttentionReference(1, 450, 1, 1, 8));
        Assert.That(
            () => attention.Run(new AttentionBackwardCall(longer.Args, new() { DY = longer.DY.View, DQ = default, DK = default, DV = default, Scratch = default })),
            Throws.ArgumentException.With.Message.Contains("scratch is missing"));
    }

    private static void Verify(Isa isa, AttentionReference reference, bool strided = false)
    {
        using var rig = new AttentionRig(reference, strided: strided);
        using var context = new CpuContext(2, isa);
        rig.Forward(context);
        rig.Backward(context);
        rig.AssertMatches(2e-5);
    }

    private static double Loss(AttentionRig rig, CpuContext context, GuardedTensor input, int index, double step)
    {
        double before = input[index];
        input[index] = before + step;
        rig.Forward(context);
        input[index] = before;
        return rig.Y.ToArray().Zip(rig.DY.ToArray(), (y, dy) => y * dy).Sum();
    }
}
