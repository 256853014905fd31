using NanoFold.Engine;
using NanoFold.Engine.Data;
using NanoFold.Kernels;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Data;

public sealed class BatchSourceTests
{
    [Test]
    public void ABatchDependsOnSeedStepAndMicroBatchOnly()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 5000);
        var source = new BatchSource(shard, "x", batch: 4, context: 16, seed: 7);
        var resumed = new BatchSource(shard, "x", batch: 4, context: 16, seed: 7);
        int[][] forward = [.. Enumerable.Range(0, 20).Select(step => Tokens(source, step, 0))];
        for (int step = 19; step >= 10; step--)
        {
            Assert.That(Tokens(resumed, step, 0), Is.EqualTo(forward[step]));
        }

        var other = new BatchSource(shard, "x", batch: 4, context: 16, seed: 8);
        int[][] different = [forward[3], forward[4], Tokens(source, 3, 1), Tokens(other, 3, 0), Tokens(source, 3 + (1L << 32), 0)];
        Assert.That(different.Select(tokens => string.Join(' ', tokens)).Distinct().Count(), Is.EqualTo(5));
    }

    /// <summary>So what fits into memory does not decide what is learned.</summary>
    [TestCase(1, 12)]
    [TestCase(4, 3)]
    [TestCase(6, 2)]
    public void MicroBatchesTogetherDrawWhatOneBatchDraws(int batch, int count)
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 5000);
        int[] whole = Tokens(new BatchSource(shard, "x", 12, 8, seed: 7), 5, 0);
        var parts = new BatchSource(shard, "x", batch, 8, seed: 7);
        Assert.That(Enumerable.Range(0, count).SelectMany(micro => Tokens(parts, 5, micro)), Is.EqualTo(whole));
    }

    /// <summary>As runs did that began before rows were numbered through a step: they go on so.</summary>
    [Test]
    public void RowsMayBeNumberedInEachMicroBatchAnew()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 5000);
        int[] small = Tokens(new BatchSource(shard, "x", 2, 8, seed: 7, DrawOrder.MicroBatch), 5, 1);
        Assert.That(Tokens(new BatchSource(shard, "x", 6, 8, seed: 7, DrawOrder.MicroBatch), 5, 1)[..16], Is.EqualTo(small));
        Assert.That(small[8], Is.EqualTo((int)Philox.Below(5000 - 8, 7 ^ 0x62617463682D7631UL, (1UL << 32) | 1, 5)));
        Assert.That(Tokens(new BatchSource(shard, "x", 6, 8, seed: 7), 5, 0), Is.EqualTo(Tokens(new BatchSource(shard, "x", 6, 8, seed: 7, DrawOrder.MicroBatch), 5, 0)), "without accumulation both are the same");
    }

    [Test]
    public void TargetsAreTheTokensThatFollow()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 1000);
        var source = new BatchSource(shard, "x", batch: 8, context: 10, seed: 1);
        int[] tokens = new int[80];
        int[] targets = new int[80];
        for (int step = 0; step < 50; step++)
        {
            source.Fill(step, 0, tokens, targets);
            for (int i = 0; i < 80; i++)
            {
                Assert.That(targets[i], Is.EqualTo(tokens[i] + 1));
                Assert.That(i % 10 == 0 || tokens[i] == tokens[i - 1] + 1, Is.True);
            }
        }
    }

    [Test]
    public void EveryWindowIsDrawnAlikeOften()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 14);
        var source = new BatchSource(shard, "x", batch: 10, context: 4, seed: 3);
        int[] counts = new int[14];
        for (int step = 0; step < 500; step++)
        {
            int[] tokens = Tokens(source, step, 0);
            for (int row = 0; row < 10; row++)
            {
                counts[tokens[row * 4]]++;
            }
        }

        Assert.That(counts[..10], Has.All.InRange(410, 590), "500 expected, four standard deviations are 85");
        Assert.That(counts[10..], Has.All.Zero, "T + 1 tokens must be there");
    }

    [Test]
    public void DocumentsAreToldApart()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 100, marked: false, [10, 11, 12], [20], [30, 31]);
        var source = new BatchSource(shard, "x", batch: 1, context: 5, seed: 0);
        int[] tokens = new int[5];
        int[] targets = new int[5];
        int[] documents = new int[5];
        source.Fill(0, 0, tokens, targets, documents);
        Assert.Multiple(() =>
        {
            Assert.That(tokens, Is.EqualTo(new[] { 10, 11, 12, 20, 30 }));
            Assert.That(documents, Is.EqualTo(new[] { 0, 0, 0, 1, 2 }));
            Assert.That(targets, Is.EqualTo(new[] { 11, 12, -1, -1, 31 }));
        });
        source.Fill(0, 0, tokens, targets);
        Assert.That(targets, Is.EqualTo(new[] { 11, 12, 20, 30, 31 }), "joined documents are one text where attention is not cut");
    }

    [Test]
    public void TheBeginOfAMarkedDocumentIsNoTarget()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 100, marked: true, [98, 10, 99], [98, 20, 99]);
        var source = new BatchSource(shard, "x", batch: 1, context: 5, seed: 0);
        int[] tokens = new int[5];
        int[] targets = new int[5];
        source.Fill(0, 0, tokens, targets);
        Assert.That(targets, Is.EqualTo(new[] { 10, 99, -1, 20, 99 }));
    }

    [Test]
    public void AWindowThatEndsWithItsDocumentHasNoTargetThere()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 100, marked: true, [1, 2, 3, 4], [5]);
        var source = new BatchSource(shard, "x", batch: 1, context: 4, seed: 0);
        int[] tokens = new int[4];
        int[] targets = new int[4];
        int[] documents = new int[4];
        source.Fill(0, 0, tokens, targets, documents);
        Assert.That(targets, Is.EqualTo(new[] { 2, 3, 4, -1 }));
        Assert.That(documents, Is.EqualTo(new[] { 0, 0, 0, 0 }));
    }

    [TestCase(64)]
    [TestCase(1000)]
    public void ATextShorterThanAContextIsOneLine(int context)
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 64);
        Assert.That(
            () => new BatchSource(shard, "poem.txt", 1, context, 0),
            Throws.TypeOf<UserException>().With.Message.EqualTo(
                $"poem.txt: has 64 tokens to train on, but a context of {context} needs {context + 1}: use more text or a context of at most 63"));
        Assert.That(() => new BatchSource(shard, "poem.txt", 1, 63, 0), Throws.Nothing);
    }

    [Test]
    public void SpansOfAnotherSizeAreRefused()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 64);
        var source = new BatchSource(shard, "x", 2, 4, 0);
        int[] right = new int[8];
        Assert.That(() => source.Fill(0, 0, new int[7], right), Throws.ArgumentException.With.Message.Contains("[2, 4] = 8"));
        Assert.That(() => source.Fill(0, 0, right, new int[9]), Throws.ArgumentException);
        Assert.That(() => source.Fill(0, 0, right, right, new int[1]), Throws.ArgumentException);
    }

    [Test]
    public void FillingAllocatesNothing()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 70_000, marked: true, [.. Enumerable.Range(0, 500)], [.. Enumerable.Range(0, 300)]);
        var source = new BatchSource(shard, "x", batch: 4, context: 32, seed: 1);
        var evaluation = new EvaluationSource(shard, "x", batch: 4, context: 32);
        int[] tokens = new int[128];
        int[] targets = new int[128];
        int[] documents = new int[128];
        long before = 0;
        for (int step = 0; step < 200; step++)
        {
            // The first calls compile.
            before = step == 100 ? GC.GetAllocatedBytesForCurrentThread() : before;
            source.Fill(step, 0, tokens, targets, documents);
            evaluation.Fill(step % evaluation.Batches, tokens, targets, documents);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static int[] Tokens(BatchSource source, long step, int microBatch)
    {
        int[] tokens = new int[source.Batch * source.Context];
        source.Fill(step, microBatch, tokens, new int[tokens.Length]);
        return tokens;
    }
}
