using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Loss;

namespace NanoFold.Tests.Cpu.Loss;

[TestFixture]
public sealed class CpuLinearCrossEntropyTests
{
    private const int TargetCount = 9;

    [Test]
    public void MatchesTheReference([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool accumulate)
    {
        foreach ((int rows, int width, int vocab) in new[] { (1, 1, 1), (5, 3, 7), (17, 16, 33), (40, 33, 129), (9, 64, 257) })
        {
            foreach (int every in new[] { 0, 3 })
            {
                Check(path, rows, width, vocab, every, accumulate);
            }
        }
    }

    [Test]
    public void TakesSeveralChunks([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values(0, 4)] int every)
        => Check(path, 1300, 5, 7, every, accumulate: true);

    [Test]
    public void EitherGradientMayBeLeftOut()
    {
        using var head = new Head(new LanePath(Isa.Vector256, DType.Float32), 1, 40, 9, 21, 3);
        head.Forward();
        head.Kernel.Run(new LinearCrossEntropyBackwardCall(head.State, head.X.View, head.Weight.View, head.Targets.View, head.LogSumExp.View, head.DLoss.View, head.DX.View, false, head.DWeight.View, head.Scratch.View, default));
        double[] dX = head.DX.Values, dWeight = head.DWeight.Values;
        head.DWeight.Values = head.DWeightBefore;
        head.Kernel.Run(new LinearCrossEntropyBackwardCall(head.State, head.X.View, head.Weight.View, head.Targets.View, head.LogSumExp.View, head.DLoss.View, default, false, head.DWeight.View, head.Scratch.View, default));
        Assert.That(head.DWeight.Values, Is.EqualTo(dWeight));
        head.DX.Values = new double[dX.Length];
        head.Kernel.Run(new LinearCrossEntropyBackwardCall(head.State, head.X.View, head.Weight.View, head.Targets.View, head.LogSumExp.View, head.DLoss.View, head.DX.View, false, default, head.Scratch.View, default));
        Assert.That(head.DX.Values, Is.EqualTo(dX));
    }

    [Test]
    public void GradientsAgreeWithDifferences()
    {
        using var head = new Head(new LanePath(Isa.Scalar, DType.Float64), 1, 5, 3, 6, 3);
        double Loss()
        {
            head.Forward();
            return 0.5 * head.Loss[0];
        }

        Loss();
        head.DWeight.Values = new double[18];
        head.Backward(false);
        RowAssert.Gradient(head.X, head.DX.Values, Loss, "dX");
        RowAssert.Gradient(head.Weight, head.DWeight.Values, Loss, "dWeight");
    }

    [Test]
    public void ThreadsGiveTheSameBitsAndAllocateNothing([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        byte[][]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 7 })
        {
            using var head = new Head(path, threads, 700, 20, 37, 5);
            void Step()
            {
                head.Forward();
                head.Backward(true);
            }

            Step();
            byte[][] bytes = [head.Losses.Bytes, head.LogSumExp.Bytes, head.Loss.Bytes, head.DX.Bytes, head.DWeight.Bytes];
            first ??= bytes;
            RowAssert.SameBits(bytes, first);
            if (threads <= 2)
            {
                RowAssert.AllocatesNothing(Step);
            }
        }
    }

    [Test]
    public void WhatIsKeptChangesNoBit()
    {
        const int Rows = 40, Width = 9, Vocab = 13;
        var path = new LanePath(Isa.Vector256, DType.Float32);
        double[][]? first = null;
        foreach (bool keeps in new[] { false, true })
        {
            using var head = new Head(path, 1, Rows, Width, Vocab, 5);
            Assert.That(head.KeptBytes, Is.EqualTo(Rows * Vocab * sizeof(float)));
            using var kept = new Operand(DType.Int32, [Rows, Vocab]);
            head.Forward(keeps ? kept.View : default);
            head.Backward(true, keeps ? kept.View : default);
            head.AssertGuards();
            kept.AssertGuards();
            double[][] values = [head.Losses.Values, head.Loss.Values, head.DX.Values, head.DWeight.Values];
            first ??= values;
            Assert.That(values, Is.EqualTo(first));
        }
    }

    [Test]
    public void TheGradientIsTimesTheLossScale()
    {
        var path = new LanePath(Isa.Vector256, DType.Float32);
        using var plain = new Head(path, 1, 40, 9, 13, 5);
        using var scaled = new Head(path, 1, 40, 9, 13, 5);
        scaled.LossScale(256);
        foreach (Head head in (Head[])[plain, scaled])
        {
            head.DWeight.Values = new double[13 * 9];
            head.Forward();
            head.Backward(false);
        }

        Assert.That(scaled.DX.Values, Is.EqualTo(plain.DX.Values.Select(g => 256 * g)));
        Assert.That(scaled.DWeight.Values, Is.EqualTo(plain.DWeight.Values.Select(g => 256 * g)));
        Assert.That(scaled.Loss.Values, Is.EqualTo(plain.Loss.Values));
    }

    [Test]
    public void NoTargetsMeansNoLossAndNoGradient()
    {
        using var head = new Head(new LanePath(Isa.Vector256, DType.Float32), 1, 6, 3, 5, 1);
        head.Forward();
        head.Backward(false);
        Assert.Multiple(() =>
        {
            Assert.That(head.Loss[0], Is.Zero);
            Assert.That(head.Losses.Values, Is.All.Zero);
            Assert.That(head.DX.Values, Is.All.Zero);
            Assert.That(head.DWeight.Values, Is.EqualTo(head.DWeightBefore));
        });
    }

    [Test]
    public void ScratchDoesNotGrowWithTheRows()
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var kernel = new CpuLinearCrossEntropy(context);
        long Bytes(int rows, bool keeps = false)
        {
            static View Shape(params ReadOnlySpan<int> shape) => View.OfShape(Layout.Of(shape), DType.Float32);
            return kernel.ScratchBytes(new LinearCrossEntropyCall { X = Shape(rows, 768), Weight = Shape(50257, 768), Kept = keeps ? Shape(rows, 50257) : default });
        }

        Assert.Multiple(() =>
        {
            Assert.That(Bytes(1_000_000), Is.EqualTo(Bytes(10_000)));
            Assert.That(Bytes(1_000_000), Is.LessThan(80L << 20));
            Assert.That(Bytes(1), Is.LessThan(4L << 20));
            Assert.That(Bytes(1_000_000, keeps: true), Is.LessThan(4L << 20), "logits lie elsewhere");
        });
    }

    [Test]
    public void NamesWhatDoesNotFit()
    {
        using var head = new Head(new LanePath(Isa.Vector256, DType.Float32), 1, 6, 3, 5, 0);
        Assert.Multiple(() =>
        {
            Assert.That(
                () => head.Kernel.Run(new LinearCrossEntropyCall(head.State, head.X.View, head.X.View.With(Layout.Of(3, 6)), head.Targets.View, head.Losses.View, head.LogSumExp.View, head.Loss.View, head.Scratch.View, default)),
                Throws.ArgumentException.With.Message.StartsWith("linear-cross-entropy: weight is Float32[3, 6], expected Float32[3, 3]"));
            Assert.That(
                () => head.Kernel.Run(new LinearCrossEntropyCall(head.State, head.X.View, head.Weight.View, head.Targets.View, head.Losses.View, head.LogSumExp.View, head.Loss.View, head.Loss.View, default)),
                Throws.ArgumentException.With.Message.StartsWith("linear-cross-entropy: scratch is Float32[1], expected at least"));
        });
        head.Targets[4] = 5;
        Assert.That(head.Forward, Throws.ArgumentException.With.Message.EqualTo("linear-cross-entropy: target of row 4 is 5, expected −1 or an index in [0, 5)"));
    }

    private static void Check(LanePath path, int rows, int width, int vocab, int every, bool accumulate)
    {
        using var head = new Head(path, 1, rows, width, vocab, every);
        double[] x = head.X.Values, w = head.Weight.Values;
        var logits = new double[rows * vocab];
        for (int i = 0; i < logits.Length; i++)
        {
            for (int c = 0; c < width; c++)
            {
                logits[i] += x[i / vocab * width + c] * w[i % vocab * width + c];
            }
        }

        var expected = new CrossEntropyReference(logits, head.Targets.Values, vocab, TargetCount, 0.5);
        double[] dX = accumulate ? head.DX.Values : new double[rows * width], dW = head.DWeight.Values;
        for (int i = 0; i < logits.Length; i++)
        {
            for (int c = 0; c < width; c++)
            {
                dX[i / vocab * width + c] += expected.DLogits[i] * w[i % vocab * width + c];
                dW[i % vocab * width + c] += expected.DLogits[i] * x[i / vocab * width + c];
            }
        }

        head.Forward();
        head.Backward(accumulate);
        string what = $"[{rows}, {width}, {vocab}] ";
        RowAssert.Close(head.Losses.Values, expected.Losses, 10 * path.Tolerance, what + "losses");
        RowAssert.Close(head.LogSumExp.Values, [.. expected.LogSumExp], 10 * path.Tolerance, what + "logSumExp");
        RowAssert.Close(head.Loss.Values, [expected.Loss], 10 * path.Tolerance, what + "loss");
        RowAssert.Close(head.DX.Values, dX, 10 * path.Tolerance, what + "dX");
        RowAssert.Close(head.DWeight.Values, dW, 10 * path.Tolerance * Math.Sqrt(rows), what + "dWeight");
        head.AssertGuards();
    }

    private sealed class Head : IDisposable
    {
        private readonly CpuContext _context;

        /// <param name="every">The last of each so many rows has no target; 0 for none.</param>
        public Head(LanePath path, int threads, int rows, int width, int vocab, int every)
        {
            _context = new CpuContext(threads, path.Isa);
            State.Set(StepSlot.TargetCount, (long)TargetCount);
            Kernel = new CpuLinearCrossEntropy(_context);
            Layout strided = Layout.Of(rows, width + 3).Slice(1, 2, width, out long offset);
            X = new Operand(path.Type, strided, offset, Operand.Random(1, rows * width));
            Weight = new Operand(path.Type, [vocab, width], Operand.Random(2, vocab * width, 0.3));
            Targets = new Operand(DType.Int32, [rows], Enumerable.Range(0, rows).Select(row => every > 0 && row % every == every - 1 ? -1.0 : row * 31 % vocab));
            Losses = new Operand(path.Type, [rows], Operand.Random(3, rows));
            LogSumExp = new Operand(path.Type, [rows], Operand.Random(4, rows));
            Loss = new Operand(path.Type, [1]);
            DLoss = new Operand(path.Type, [1], [0.5]);
            DX = new Operand(path.Type, strided, offset, Operand.Random(5, rows * width));
            DWeight = new Operand(path.Type, [vocab, width], Operand.Random(6, vocab * width));
            DWeightBefore = DWeight.Values;
            Scratch = new Operand(DType.Int32, [(int)Kernel.ScratchBytes(Shape) / 4]);
        }

        public CpuStepState State { get; } = new();

        public CpuLinearCrossEntropy Kernel { get; }

        public long KeptBytes => Kernel.KeptBytes(Shape);

        public Operand X { get; }

        public Operand Weight { get; }

        public Operand Targets { get; }

        public Operand Losses { get; }

        public Operand LogSumExp { get; }

        public Operand Loss { get; }

        public Operand DLoss { get; }

        public Operand DX { get; }

        public Operand DWeight { get; }

        public double[] DWeightBefore { get; }

        public Operand Scratch { get; }

        private LinearCrossEntropyCall Shape => new() { X = X.View, Weight = Weight.View };

        private Operand[] All => [X, Weight, Targets, Losses, LogSumExp, Loss, DLoss, DX, DWeight, Scratch];

        public void LossScale(double scale) => State.Set(StepSlot.LossScale, scale);

        public void Forward() => Forward(default);

        public void Forward(View kept) => Kernel.Run(new LinearCrossEntropyCall(State, X.View, Weight.View, Targets.View, Losses.View, LogSumExp.View, Loss.View, Scratch.View, kept));

        public void Backward(bool accumulate, View kept = default)
            => Kernel.Run(new LinearCrossEntropyBackwardCall(State, X.View, Weight.View, Targets.View, LogSumExp.View, DLoss.View, DX.View, accumulate, DWeight.View, Scratch.View, kept));

        public void AssertGuards()
        {
            foreach (Operand operand in All)
            {
                operand.AssertGuards();
            }
        }

        public void Dispose()
        {
            foreach (Operand operand in All)
            {
                operand.Dispose();
            }

            _context.Dispose();
        }
    }
}
