using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;

namespace NanoFold.Tests.Tasks;

/// <summary>What a task that is made up gets from the classes it derives from.</summary>
public sealed class GeneratedTaskTests
{
    private const int Length = 5;

    /// <summary>So what fits into memory does not decide what is learned, whatever the task.</summary>
    [TestCase(1, 8)]
    [TestCase(4, 2)]
    [TestCase(2, 4)]
    public void MicroBatchesTogetherDrawWhatOneBatchDraws(int rows, int count)
    {
        var digits = new Digits(seed: 3);
        (int[] tokens, float[] reals, int targets) whole = Draw(digits, 8, step: 6, microBatch: 0);
        var parts = Enumerable.Range(0, count).Select(micro => Draw(digits, rows, step: 6, micro)).ToArray();
        Assert.That(parts.SelectMany(part => part.Tokens), Is.EqualTo(whole.tokens));
        Assert.That(parts.SelectMany(part => part.Reals), Is.EqualTo(whole.reals));
        Assert.That(parts.Sum(part => part.Targets), Is.EqualTo(whole.targets).And.EqualTo(8 * Length));
        Assert.That(Draw(digits, 8, step: 7, microBatch: 0).Tokens, Is.Not.EqualTo(whole.tokens));
        Assert.That(Draw(new Digits(seed: 4), 8, step: 6, microBatch: 0).Tokens, Is.Not.EqualTo(whole.tokens));
    }

    [Test]
    public void WhatIsHeldBackIsTheSameForEverySeed()
    {
        int[] held = HeldBack(new Digits(seed: 3), rows: 6, first: 0);
        Assert.That(HeldBack(new Digits(seed: 4), rows: 6, first: 0), Is.EqualTo(held));
        Assert.That(HeldBack(new Digits(seed: 3), rows: 2, first: 4), Is.EqualTo(held[(4 * Length)..]));
        Assert.That(HeldBack(new Digits(seed: 3, splitSeed: 2), rows: 6, first: 0), Is.Not.EqualTo(held));
        Assert.That(held.Chunk(Length).Select(row => string.Join(' ', row)), Is.Unique);
    }

    /// <summary>Also where both seeds are the same; 135948 and 1 once met.</summary>
    [TestCase(1UL)]
    [TestCase(135948UL)]
    public void WhatIsHeldBackIsNotTrainedOn(ulong seed)
        => Assert.That(Draw(new Digits(seed), 8, step: 0, microBatch: 0).Tokens, Is.Not.EqualTo(HeldBack(new Digits(seed), rows: 8, first: 0)));

    [Test]
    public void RowsAfterTheLastAreEmpty()
    {
        var digits = new Digits(seed: 3);
        var rows = new BatchRows(digits.Fields(Length), 4);
        rows.Fill(digits, 0, 0);
        rows.Fill(digits, TaskSplit.Validation, first: 4, taken: 6, all: 6);
        Assert.That(rows.Targets, Is.EqualTo(2 * Length));
        Assert.That(rows.Integers(BatchField.Targets)[(2 * Length)..].ToArray(), Is.All.EqualTo(-1));
        Assert.That(rows.Integers(BatchField.Tokens)[(2 * Length)..].ToArray(), Is.All.Zero);
        Assert.That(rows.Reals("noise")[4..].ToArray(), Is.All.Zero);
    }

    [Test]
    public void PlacesAreThoseOfAllRows()
    {
        var digits = new Digits(seed: 3);
        Assert.That((digits.Places(TaskSplit.Validation), digits.Rows(TaskSplit.Validation, Length), digits.Rows(TaskSplit.Validation, 7)), Is.EqualTo((30L, 6L, 5L)));
        Assert.That(digits.Rows(TaskSplit.Training, Length), Is.EqualTo(long.MaxValue / Length));
        Assert.That(digits.Places(TaskSplit.Probe), Is.GreaterThan(10_000 * Length));
    }

    [Test]
    public void DrawsAreOfTheirDistribution()
    {
        const int Count = 20_000;
        var draws = new RowDraws(5, RowKey.At(TaskSplit.Validation, 1));
        int[] counts = new int[7];
        double sum = 0, squares = 0, fourth = 0, uniform = 0;
        for (int i = 0; i < Count; i++)
        {
            counts[draws.Below(7)]++;
            double x = draws.Normal();
            (sum, squares, fourth) = (sum + x, squares + (x * x), fourth + (x * x * x * x));
            uniform += draws.Uniform();
        }

        Assert.That(counts, Is.All.InRange(2650, 3060), "2,857 expected, four standard deviations are 198");
        Assert.That((sum / Count, squares / Count, fourth / Count, uniform / Count), Is.EqualTo((0.0, 1.0, 3.0, 0.5)).Using<(double, double, double, double)>(
            (a, b) => Math.Abs(a.Item1 - b.Item1) < 0.03 && Math.Abs(a.Item2 - b.Item2) < 0.05 && Math.Abs(a.Item3 - b.Item3) < 0.3 && Math.Abs(a.Item4 - b.Item4) < 0.01));
        int[] order = [.. Enumerable.Range(0, 50)];
        draws.Shuffle<int>(order);
        Assert.That(order, Is.EquivalentTo(Enumerable.Range(0, 50)).And.Not.EqualTo(Enumerable.Range(0, 50)));
        Assert.That(() => draws.Below(0), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private static (int[] Tokens, float[] Reals, int Targets) Draw(Digits digits, int rows, long step, int microBatch)
    {
        var batch = new BatchRows(digits.Fields(Length), rows);
        batch.Fill(digits, step, microBatch);
        return (batch.Integers(BatchField.Tokens).ToArray(), batch.Reals("noise").ToArray(), batch.Targets);
    }

    private static int[] HeldBack(Digits digits, int rows, long first)
    {
        var batch = new BatchRows(digits.Fields(Length), rows);
        batch.Fill(digits, TaskSplit.Validation, first, 6, 6);
        return batch.Integers(BatchField.Tokens).ToArray();
    }

    private sealed record DigitsConfig : GeneratedTaskConfig
    {
        public override LearningTask Open(TaskContext context) => throw new NotSupportedException();
    }

    /// <summary>Random digits, each its own target, and two normal numbers a row.</summary>
    private sealed class Digits(ulong seed, long splitSeed = 1)
        : GeneratedTask(new DigitsConfig { ValidationRows = 6, SplitSeed = splitSeed }, new TaskContext { Model = new ModelConfig { Context = Length }, Seed = seed })
    {
        public override string Name => "digits";

        public override IReadOnlyList<BatchField> Fields(int time) => [.. BatchField.OfTokens(time), BatchField.Reals("noise", 2)];

        protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
        {
            foreach (ref int token in row.Integers(BatchField.Tokens))
            {
                token = draws.Below(10);
            }

            row.Integers(BatchField.Tokens).CopyTo(row.Integers(BatchField.Targets));
            foreach (ref float value in row.Reals("noise"))
            {
                value = (float)draws.Normal();
            }

            return Length;
        }
    }
}
