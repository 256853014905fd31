using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Attention.Full;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>Attention over all kinds of visibility against the definition, and that what nobody sees costs nothing.</summary>
[Parallelizable]
public sealed class CpuVisibilityTests
{
    private static readonly Isa[] s_paths = [Isa.Scalar, Isa.Vector128, Isa.Vector256, Isa.Vector512];

    [Test]
    public void APrefixIsSeenByAll([ValueSource(nameof(s_paths))] Isa isa, [Values(0, 9)] int window, [Values(0, 4)] int topK)
        => Verify(isa, new AttentionReference(3, 67, 1, 1, 5) { Kind = VisibleKind.Prefix, Prefixes = [0, 37, 400], Window = window, Sinks = 3, TopK = topK });

    [Test]
    public void AWindowOfFullAttentionLiesAroundTheQuery([ValueSource(nameof(s_paths))] Isa isa, [Values(1, 7, 100)] int window, [Values(0, 4)] int topK)
        => Verify(isa, new AttentionReference(1, 101, 1, 1, 5) { Kind = VisibleKind.Full, Window = window, Sinks = 30, TopK = topK });

    [Test]
    public void DocumentsHideFromEveryKind([Values] VisibleKind kind, [Values(0, 20)] int window, [Values(false, true)] bool sorted, [Values(0, 5)] int topK)
        => VerifyDocuments(kind, window, sorted, topK, time: 130);

    [Test]
    public void PartsOfALongSequenceAreAddedWhereTheirDocumentsReach([Values] VisibleKind kind, [Values(false, true)] bool sorted)
        => VerifyDocuments(kind, window: 90, sorted, topK: 0, time: 400);

    private static void VerifyDocuments(VisibleKind kind, int window, bool sorted, int topK, int time)
    {
        var random = new Random(3);
        Verify(IsaExtensions.Best, new AttentionReference(1, time, 2, 1, 4)
        {
            Kind = kind,
            Prefixes = kind == VisibleKind.Prefix ? [40] : null,
            Documents = [.. Enumerable.Range(0, time).Select(i => sorted ? i % time / 60 : random.Next(3) * 1_000_000_007)],
            Window = window,
            Sinks = window / 8,
            TopK = topK,
        });
    }

    [TestCase(VisibleKind.Causal, 16, 16, 0)]
    [TestCase(VisibleKind.Causal, 64, 32, 40)]
    [TestCase(VisibleKind.Full, 100, 7, 0)]
    [TestCase(VisibleKind.Full, 32, 300, 60)]
    [TestCase(VisibleKind.Prefix, 200, 48, 0)]
    [TestCase(VisibleKind.Causal, 450, 96, 0)]
    public void OnlyListedBlocksAreSeen(VisibleKind kind, int querySize, int keySize, int window)
    {
        foreach ((int time, Isa isa) in new[] { (70, Isa.Scalar), (70, Isa.Vector512), (querySize == 450 ? 450 : 130, IsaExtensions.Best) })
        {
            Verify(isa, Tabled(time, kind, querySize, keySize) with { Window = window, Sinks = window / 10, Documents = window == 60 ? [.. Enumerable.Range(0, 2 * time).Select(i => i % time / 50)] : null });
        }
    }

    [Test]
    public void QueriesWithListsOfTheirOwnMeetTheBlocksThatTheyList([Values(7, 40, 100)] int keySize, [Values(false, true)] bool hasDocuments)
        => Verify(IsaExtensions.Best, Tabled(600, VisibleKind.Causal, 1, keySize) with { Documents = hasDocuments ? [.. Enumerable.Range(0, 1200).Select(i => i % 600 / 110)] : null });

    [Test]
    public void ListsThatDoNotAscendAreAnError()
    {
        AttentionReference reference = Tabled(70, VisibleKind.Causal, 16, 16);
        foreach (int[] list in new int[][] { [1, 0], [2, 2], [-1], [5] })
        {
            using var rig = new AttentionRig(reference with { Blocks = [.. reference.Blocks!.Select(_ => list)] });
            using var context = new CpuContext(1, IsaExtensions.Best);
            Assert.That(() => rig.Forward(context), Throws.ArgumentException.With.Message.Contains("expected ascending blocks"), string.Join(", ", list));
        }
    }

    [Test]
    public void BitsDoNotDependOnThreads([Values] VisibleKind kind, [Values(1, 64)] int querySize)
    {
        AttentionReference reference = Tabled(450, kind, querySize, 32);
        double[][] one = Run(1);
        foreach (int threads in new[] { 2, 7 })
        {
            Assert.That(Run(threads), Is.EqualTo(one));
        }

        double[][] Run(int threads)
        {
            using var rig = new AttentionRig(reference);
            using var context = new CpuContext(threads, IsaExtensions.Best);
            rig.Forward(context);
            rig.Backward(context);
            return [rig.Y.ToArray(), rig.DQ.ToArray(), rig.DK.ToArray(), rig.DV.ToArray()];
        }
    }

    /// <summary>Blocks of one stretch of queries, by kind.</summary>
    [TestCase(VisibleKind.Causal, 32, ExpectedResult = 32 * (1 + 2 + 3 + 4) / 4)]
    [TestCase(VisibleKind.Full, 32, ExpectedResult = 32 * 4)]
    [TestCase(VisibleKind.Causal, 8, ExpectedResult = 8 * (1 + 2 + 3 + 4) / 4)]
    public int DocumentsAreVisitedEachByItself(VisibleKind kind, int documents)
    {
        // A document of four blocks of queries meets four blocks of keys, wherever in the sequence it lies.
        int length = 4 * 96, time = documents * length;
        var reference = new AttentionReference(1, time, 1, 1, 4) { Kind = kind, Documents = [.. Enumerable.Range(0, time).Select(t => t / length)] };
        using var rig = new AttentionRig(reference);
        using var context = new CpuContext(1, IsaExtensions.Best);
        using var memory = new CallMemory();
        var visits = new List<int>();
        unsafe
        {
            var problem = new AttentionProblem("attention", rig.Args, memory);
            for (int query = 0; query < time; query += 96)
            {
                KeyBlocks keys = problem.KeysOf(0, 0, query, query + 95);
                int count = 0;
                while (keys.Next())
                {
                    count++;
                    Assert.That(keys.First / length, Is.EqualTo(query / length), "a block of another document");
                }

                visits.Add(count);
            }
        }

        return visits.Sum() / 4;
    }

    [Test]
    public void WhatNobodySeesIsNotComputed([Values] VisibleKind kind, [Values(false, true)] bool listed)
    {
        // Values and gradients that are not a number where nobody looks: a weight of 0 times one of them would show.
        const int Time = 960, Block = 96;
        AttentionReference reference = new(1, Time, 1, 1, 8) { Kind = kind, Prefixes = kind == VisibleKind.Prefix ? [5 * Block] : null };
        reference = listed
            ? reference with { QuerySize = Block, KeySize = Block, Blocks = [.. Enumerable.Range(0, Time / Block).Select(i => new[] { i })] }
            : reference with { Documents = [.. Enumerable.Range(0, Time).Select(t => t / Block)] };
        using var rig = new AttentionRig(reference);
        using var context = new CpuContext(2, IsaExtensions.Best);
        for (int i = 4 * Block * 8; i < 5 * Block * 8; i++)
        {
            rig.V[i] = rig.DY[i] = double.NaN;
        }

        rig.Forward(context);
        rig.Backward(context);
        foreach (GuardedTensor result in new[] { rig.Y, rig.DQ, rig.DK, rig.DV })
        {
            double[] values = result.ToArray();
            Assert.That(values[(4 * Block * 8)..(5 * Block * 8)], Has.Some.NaN);
            Assert.That(values[..(4 * Block * 8)], Has.None.NaN);
            Assert.That(values[(5 * Block * 8)..], Has.None.NaN);
        }
    }

    /// <summary>A reference with lists of random blocks, its own among them; one list is empty.</summary>
    private static AttentionReference Tabled(int time, VisibleKind kind, int querySize, int keySize)
    {
        const int Batch = 2, Heads = 2;
        var random = new Random(7);
        int rows = (time + querySize - 1) / querySize, blocks = (time + keySize - 1) / keySize;
        int[][] lists = [.. Enumerable.Range(0, Batch * Heads * rows).Select(i => Enumerable.Range(0, blocks)
            .Where(j => i % 5 != 3 && (random.Next(3) == 0 || j == i % rows * querySize / keySize)).ToArray())];
        return new AttentionReference(Batch, time, Heads, 1, 4)
        {
            Kind = kind,
            Prefixes = kind == VisibleKind.Prefix ? [time / 3, time] : null,
            Blocks = lists,
            QuerySize = querySize,
            KeySize = keySize,
        };
    }

    private static void Verify(Isa isa, AttentionReference reference)
    {
        using var rig = new AttentionRig(reference);
        using var context = new CpuContext(2, isa);
        rig.Forward(context);
        rig.Backward(context);
        rig.AssertMatches(2e-5);
    }
}
