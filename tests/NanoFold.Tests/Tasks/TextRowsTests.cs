using NanoFold.Engine;
using NanoFold.Engine.Data;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;
using NanoFold.Tests.Data;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Tasks;

public sealed class TextRowsTests
{
    [Test]
    public void ABatchDependsOnSeedStepAndMicroBatchOnly()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 5000);
        var source = new TextBatches(shard, "x", batch: 4, context: 16, seed: 7);
        var resumed = new TextBatches(shard, "x", batch: 4, context: 16, seed: 7);
        int[][] forward = [.. Enumerable.Range(0, 20).Select(step => source.Draw(step, 0))];
        for (int step = 19; step >= 10; step--)
        {
            Assert.That(resumed.Draw(step, 0), Is.EqualTo(forward[step]));
        }

        var other = new TextBatches(shard, "x", batch: 4, context: 16, seed: 8);
        int[][] different = [forward[3], forward[4], source.Draw(3, 1), other.Draw(3, 0), source.Draw(3 + (1L << 32), 0)];
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
        int[] whole = new TextBatches(shard, "x", 12, 8, seed: 7).Draw(5, 0);
        var parts = new TextBatches(shard, "x", batch, 8, seed: 7);
        Assert.That(Enumerable.Range(0, count).SelectMany(micro => parts.Draw(5, micro)), Is.EqualTo(whole));
    }

    /// <summary>As runs did that began before rows were numbered through a step: they go on so.</summary>
    [Test]
    public void RowsMayBeNumberedInEachMicroBatchAnew()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 5000);
        int[] small = new TextBatches(shard, "x", 2, 8, seed: 7, DrawOrder.MicroBatch).Draw(5, 1);
        Assert.That(new TextBatches(shard, "x", 6, 8, seed: 7, DrawOrder.MicroBatch).Draw(5, 1)[..16], Is.EqualTo(small));
        Assert.That(small[8], Is.EqualTo((int)Philox.Below(5000 - 8, 7 ^ 0x62617463682D7631UL, (1UL << 32) | 1, 5)));
        Assert.That(new TextBatches(shard, "x", 6, 8, seed: 7).Draw(5, 0), Is.EqualTo(new TextBatches(shard, "x", 6, 8, seed: 7, DrawOrder.MicroBatch).Draw(5, 0)), "without accumulation both are the same");
    }

    [Test]
    public void TargetsAreTheTokensThatFollow()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 1000);
        var source = new TextBatches(shard, "x", batch: 8, context: 10, seed: 1);
        for (int step = 0; step < 50; step++)
        {
            int[] tokens = source.Draw(step, 0), targets = source.Targets;
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
        var source = new TextBatches(shard, "x", batch: 10, context: 4, seed: 3);
        int[] counts = new int[14];
        for (int step = 0; step < 500; step++)
        {
            int[] tokens = source.Draw(step, 0);
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
        var source = new TextBatches(shard, "x", batch: 1, context: 5, seed: 0, hasDocuments: true);
        source.Fill(0, 0);
        Assert.Multiple(() =>
        {
            Assert.That(source.Tokens, Is.EqualTo(new[] { 10, 11, 12, 20, 30 }));
            Assert.That(source.Documents, Is.EqualTo(new[] { 0, 0, 0, 1, 2 }));
            Assert.That(source.Targets, Is.EqualTo(new[] { 11, 12, -1, -1, 31 }));
        });
        var joined = new TextBatches(shard, "x", batch: 1, context: 5, seed: 0);
        joined.Fill(0, 0);
        Assert.That(joined.Targets, Is.EqualTo(new[] { 11, 12, 20, 30, 31 }), "joined documents are one text where attention is not cut");
    }

    [Test]
    public void TheBeginOfAMarkedDocumentIsNoTarget()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 100, marked: true, [98, 10, 99], [98, 20, 99]);
        var source = new TextBatches(shard, "x", batch: 1, context: 5, seed: 0);
        source.Fill(0, 0);
        Assert.That(source.Targets, Is.EqualTo(new[] { 10, 99, -1, 20, 99 }));
    }

    [Test]
    public void AWindowThatEndsWithItsDocumentHasNoTargetThere()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 100, marked: true, [1, 2, 3, 4], [5]);
        var source = new TextBatches(shard, "x", batch: 1, context: 4, seed: 0, hasDocuments: true);
        source.Fill(0, 0);
        Assert.That(source.Targets, Is.EqualTo(new[] { 2, 3, 4, -1 }));
        Assert.That(source.Documents, Is.EqualTo(new[] { 0, 0, 0, 0 }));
    }

    [TestCase(64)]
    [TestCase(1000)]
    public void ATextShorterThanAContextIsOneLine(int context)
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 64);
        Assert.That(
            () => new TextBatches(shard, "poem.txt", 1, context, seed: 0),
            Throws.TypeOf<UserException>().With.Message.EqualTo(
                $"poem.txt: has 64 tokens to train on, but a context of {context} needs {context + 1}: use more text or a context of at most 63"));
        Assert.That(() => new TextBatches(shard, "poem.txt", 1, 63, seed: 0), Throws.Nothing);
    }

    [Test]
    public void AFieldIsFoundByNameAndType()
    {
        var rows = new BatchRows([.. BatchField.OfTokens(4), BatchField.Reals("features", 4, 3)], 2);
        Assert.That((rows.Integers("tokens").Length, rows.Reals("features").Length, rows.Integers("documents").Length), Is.EqualTo((8, 24, 0)));
        Assert.That(() => rows.Reals("tokens").Length, Throws.ArgumentException.With.Message.EqualTo("batch field tokens: is of Int32, not of Float32"));
        Assert.That(() => new BatchRows([.. BatchField.OfTokens(4), BatchField.Reals("tokens", 4)], 2), Throws.ArgumentException.With.Message.Contains("two fields of the name tokens"));
        Assert.That(() => BatchField.Integers("tokens", 0, 4, 0), Throws.ArgumentException.With.Message.Contains("tokens"));
    }

    [Test]
    public void FillingAllocatesNothing()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 70_000, marked: true, [.. Enumerable.Range(0, 500)], [.. Enumerable.Range(0, 300)]);
        var source = new TextBatches(shard, "x", batch: 4, context: 32, seed: 1);
        var evaluation = new TextBatches(shard, "x", batch: 4, context: 32);
        long before = 0;
        for (int step = 0; step < 200; step++)
        {
            // The first calls compile.
            before = step == 100 ? GC.GetAllocatedBytesForCurrentThread() : before;
            source.Fill(step, 0);
            evaluation.Fill(step % evaluation.Batches);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}
