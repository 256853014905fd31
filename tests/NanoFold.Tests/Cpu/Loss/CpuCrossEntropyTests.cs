using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Loss;

namespace NanoFold.Tests.Cpu.Loss;

[TestFixture]
public sealed class CpuCrossEntropyTests
{
    private static readonly int[] s_widths = [1, 2, 3, 5, 7, 8, 9, 16, 17, 31, 64, 127, 129, 256, 257, 2049, 5001];

    private CpuStepState _state = new();

    [Test]
    public void MatchesTheReference([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool accumulate)
    {
        foreach (int vocab in s_widths)
        {
            const int Rows = 7, TargetCount = 11;
            using CpuContext context = Context(1, path.Isa, TargetCount);
            _state.Set(StepSlot.Loss, 0.25);
            var kernel = new CpuCrossEntropy(context);
            // All far below zero: the padding of a last lane must not be taken for the largest element.
            double[] values = [.. Operand.Random(vocab, Rows * vocab, 3).Select(value => value - 40)];
            double[] targets = [.. Enumerable.Range(0, Rows).Select(row => row % 3 == 1 ? -1.0 : row * 31 % vocab)];
            using var logits = new Operand(path.Type, Layout.Of(Rows, vocab + 3).Slice(1, 1, vocab, out long offset), offset, values);
            using var target = new Operand(DType.Int32, [Rows], targets);
            using var losses = new Operand(path.Type, [Rows]);
            using var logSumExp = new Operand(path.Type, [Rows]);
            using var loss = new Operand(path.Type, [1]);
            using var dLoss = new Operand(path.Type, [1], [0.5]);
            using var dLogits = new Operand(path.Type, [Rows, vocab], Operand.Random(vocab + 1, Rows * vocab));
            var expected = new CrossEntropyReference(logits.Values, targets, vocab, TargetCount, 0.5);
            double[] before = accumulate ? dLogits.Values : new double[Rows * vocab];
            kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, losses.View, logSumExp.View, loss.View));
            kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, target.View, logSumExp.View, dLoss.View, dLogits.View, accumulate));
            RowAssert.Close(losses.Values, expected.Losses, 4 * path.Tolerance, $"{vocab}: losses");
            RowAssert.Close(logSumExp.Values, expected.LogSumExp, path.Tolerance, $"{vocab}: logSumExp");
            RowAssert.Close(loss.Values, [expected.Loss], 4 * path.Tolerance, $"{vocab}: loss");
            RowAssert.Close([_state.GetDouble(StepSlot.Loss)], [0.25 + expected.Loss], 4 * path.Tolerance, $"{vocab}: slot");
            RowAssert.Close(dLogits.Values, [.. expected.DLogits.Zip(before, (a, b) => a + b)], path.Tolerance, $"{vocab}: dLogits");
            if (!accumulate)
            {
                double[] apart = dLogits.Values;
                kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, target.View, logSumExp.View, dLoss.View, logits.View, false));
                Assert.That(logits.Values, Is.EqualTo(apart), "in place");
            }

            foreach (Operand operand in new[] { logits, target, losses, logSumExp, loss, dLoss, dLogits })
            {
                operand.AssertGuards();
            }
        }
    }

    [Test]
    public void TheGradientIsTimesTheLossScale()
    {
        using CpuContext context = Context(1, Isa.Scalar, 3);
        var kernel = new CpuCrossEntropy(context);
        using var logits = new Operand(DType.Float32, [4, 6], Operand.Random(1, 24));
        using var target = new Operand(DType.Int32, [4], [2, -1, 5, 0]);
        using var losses = new Operand(DType.Float32, [4]);
        using var logSumExp = new Operand(DType.Float32, [4]);
        using var loss = new Operand(DType.Float32, [1]);
        using var dLoss = new Operand(DType.Float32, [1], [0.5]);
        using var dLogits = new Operand(DType.Float32, [4, 6]);
        kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, losses.View, logSumExp.View, loss.View));
        kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, target.View, logSumExp.View, dLoss.View, dLogits.View, false));
        double[] plain = dLogits.Values;
        _state.Set(StepSlot.LossScale, 256.0);
        kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, target.View, logSumExp.View, dLoss.View, dLogits.View, false));
        Assert.That(dLogits.Values, Is.EqualTo(plain.Select(g => 256 * g)));
    }

    [Test]
    public void GradientAgreesWithDifferences()
    {
        using CpuContext context = Context(1, Isa.Scalar, 3);
        var kernel = new CpuCrossEntropy(context);
        using var logits = new Operand(DType.Float64, [4, 6], Operand.Random(1, 24));
        using var target = new Operand(DType.Int32, [4], [2, -1, 5, 0]);
        using var losses = new Operand(DType.Float64, [4]);
        using var logSumExp = new Operand(DType.Float64, [4]);
        using var loss = new Operand(DType.Float64, [1]);
        using var dLoss = new Operand(DType.Float64, [1], [1]);
        using var dLogits = new Operand(DType.Float64, [4, 6]);
        double Loss()
        {
            kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, losses.View, logSumExp.View, loss.View));
            return loss[0];
        }

        Loss();
        kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, target.View, logSumExp.View, dLoss.View, dLogits.View, false));
        RowAssert.Gradient(logits, dLogits.Values, Loss, "dLogits");
    }

    [Test]
    public void ThreadsGiveTheSameBits([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        byte[][]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 7 })
        {
            using CpuContext context = Context(threads, path.Isa, 1000);
            var kernel = new CpuCrossEntropy(context);
            using var logits = new Operand(path.Type, [1000, 67], Operand.Random(1, 67000));
            using var target = new Operand(DType.Int32, [1000], Enumerable.Range(0, 1000).Select(row => row % 68 - 1.0));
            using var losses = new Operand(path.Type, [1000]);
            using var logSumExp = new Operand(path.Type, [1000]);
            using var loss = new Operand(path.Type, [1], [1]);
            kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, losses.View, logSumExp.View, loss.View));
            kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, target.View, logSumExp.View, loss.View, logits.View, false));
            byte[][] all = [logits.Bytes, losses.Bytes, logSumExp.Bytes, loss.Bytes];
            first ??= all;
            RowAssert.SameBits(all, first);
        }
    }

    [Test]
    public void AllocatesNothing()
    {
        using CpuContext context = Context(2, Isa.Vector256, 1000);
        var kernel = new CpuCrossEntropy(context);
        using var logits = new Operand(DType.Float32, [1000, 67]);
        using var target = new Operand(DType.Int32, [1000]);
        using var losses = new Operand(DType.Float32, [1000]);
        using var logSumExp = new Operand(DType.Float32, [1000]);
        using var loss = new Operand(DType.Float32, [1], [1]);
        RowAssert.AllocatesNothing(() =>
        {
            kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, losses.View, logSumExp.View, loss.View));
            kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, target.View, logSumExp.View, loss.View, logits.View, false));
        });
    }

    [Test]
    public void NonFiniteLogitsGiveANonFiniteLoss([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values(double.NaN, double.PositiveInfinity)] double bad)
    {
        foreach (int place in new[] { 0, 3, 8, 19, 20 })
        {
            using CpuContext context = Context(1, path.Isa, 1);
            using var logits = new Operand(path.Type, [1, 21], Operand.Random(1, 21));
            logits[place] = bad;
            using var target = new Operand(DType.Int32, [1], [1]);
            using var rest = new Operand(path.Type, [3]);
            View One(int i) => rest.View.With(Layout.Of(1), i);
            new CpuCrossEntropy(context).Run(new CrossEntropyCall(_state, logits.View, target.View, One(0), One(1), One(2)));
            Assert.That(double.IsFinite(_state.GetDouble(StepSlot.Loss)), Is.False, $"at {place}");
        }
    }

    [Test]
    public void NamesTheRowOfABadTarget([Values(1, 2)] int threads, [Values(-2, 5, int.MaxValue)] int bad)
    {
        using CpuContext context = Context(threads, Isa.Vector256, 4);
        var kernel = new CpuCrossEntropy(context);
        using var logits = new Operand(DType.Float32, [4, 5]);
        using var target = new Operand(DType.Int32, [4], [0, 4, bad, 1]);
        using var row = new Operand(DType.Float32, [4]);
        using var loss = new Operand(DType.Float32, [1]);
        string message = $"target of row 2 is {bad}, expected −1 or an index in [0, 5)";
        Assert.That(() => kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, row.View, row.View, loss.View)), Throws.ArgumentException.With.Message.EqualTo("cross-entropy: " + message));
        Assert.That(
            () => kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, target.View, row.View, loss.View, logits.View, false)),
            Throws.ArgumentException.With.Message.EqualTo("cross-entropy-backward: " + message));
    }

    [Test]
    public void NeedsTheTargetCountWhereThereAreTargets()
    {
        using CpuContext context = Context(1, Isa.Scalar, 0);
        var kernel = new CpuCrossEntropy(context);
        using var logits = new Operand(DType.Float32, [2, 5]);
        using var target = new Operand(DType.Int32, [2], [-1, -1]);
        using var row = new Operand(DType.Float32, [2]);
        using var loss = new Operand(DType.Float32, [1], [9]);
        kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, row.View, row.View, loss.View));
        Assert.That(loss[0], Is.Zero);
        target[1] = 3;
        Assert.That(() => kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, row.View, row.View, loss.View)), Throws.InvalidOperationException.With.Message.Contains("TargetCount is 0"));
    }

    [Test]
    public void NamesWhatDoesNotFit()
    {
        using CpuContext context = Context(1, Isa.Scalar, 1);
        var kernel = new CpuCrossEntropy(context);
        using var logits = new Operand(DType.Float32, [4, 5]);
        using var target = new Operand(DType.Int32, [3]);
        using var row = new Operand(DType.Float32, [4]);
        using var loss = new Operand(DType.Float32, [1]);
        using var four = new Operand(DType.Int32, [4]);
        Assert.Multiple(() =>
        {
            Assert.That(() => kernel.Run(new CrossEntropyCall(_state, logits.View, target.View, row.View, row.View, loss.View)), Throws.ArgumentException.With.Message.StartsWith("cross-entropy: targets is Int32[3], expected 4"));
            Assert.That(() => kernel.Run(new CrossEntropyCall(_state, logits.View, four.View, row.View, row.View, row.View)), Throws.ArgumentException.With.Message.StartsWith("cross-entropy: loss is Float32[4]"));
            Assert.That(
                () => kernel.Run(new CrossEntropyBackwardCall(_state, logits.View, four.View, row.View, loss.View, logits.View, true)),
                Throws.ArgumentException.With.Message.Contains("memory other than that of the logits"));
        });
    }

    private CpuContext Context(int threads, Isa isa, long targetCount)
    {
        _state = new CpuStepState();
        _state.Set(StepSlot.TargetCount, targetCount);
        return new CpuContext(threads, isa);
    }
}
