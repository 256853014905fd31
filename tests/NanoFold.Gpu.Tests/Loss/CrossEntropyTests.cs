using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Loss;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Loss;

public class CrossEntropyTests : GpuTests
{
    private static int[][] Shapes => IsSimulated ? [[1, 2], [5, 17], [6, 300]] : [[1, 2], [5, 17], [33, 257], [512, 2048], [40, 50257], [64, 50304]];

    [Test]
    public void LossesAndGradientsAreThoseOfTheCpu([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values(0, 3)] int padding, [Values] bool accumulate)
    {
        double tolerance = type switch { DType.Float32 => 2e-6, DType.BFloat16 => 1e-2, _ => 2e-3 };
        foreach (int[] shape in Shapes)
        {
            using var twins = new Twins(Gpu, Cpu);
            (int rows, int vocab) = (shape[0], shape[1]);
            Twin padded = twins.Random(type, 1, rows, vocab + padding), dPadded = twins.Random(type, 2, rows, vocab + padding);
            Layout layout = padded.Cpu.Layout.Slice(1, 0, vocab, out _);
            Twin logits = padded.With(layout), dLogits = dPadded.With(layout);
            Twin targets = twins.Integers([rows], [.. Enumerable.Range(0, rows).Select(i => i % 4 == 3 ? -1 : i * 7 % vocab)]);
            Twin losses = twins.Random(DType.Float32, 3, rows), logSumExp = twins.Random(DType.Float32, 4, rows), loss = twins.Random(DType.Float32, 5, 1);
            Twin dLoss = twins.New(DType.Float32, [1], [0.5f]);
            Set(rows - rows / 4);
            Gpu.Run(new CrossEntropyCall(GpuState, logits.Gpu, targets.Gpu, losses.Gpu, logSumExp.Gpu, loss.Gpu));
            Cpu.Run(new CrossEntropyCall(CpuState, logits.Cpu, targets.Cpu, losses.Cpu, logSumExp.Cpu, loss.Cpu));
            twins.AssertClose(losses, 2e-6, "losses");
            twins.AssertClose(logSumExp, 2e-6, "logSumExp");
            twins.AssertClose(loss, 2e-6, "loss");
            Assert.That(GpuState.GetDouble(StepSlot.Loss), Is.EqualTo(CpuState.GetDouble(StepSlot.Loss)).Within(1e-5));

            Gpu.Run(new CrossEntropyBackwardCall(GpuState, logits.Gpu, targets.Gpu, logSumExp.Gpu, dLoss.Gpu, dLogits.Gpu, accumulate));
            Cpu.Run(new CrossEntropyBackwardCall(CpuState, logits.Cpu, targets.Cpu, logSumExp.Cpu, dLoss.Cpu, dLogits.Cpu, accumulate));
            twins.AssertClose(dPadded, tolerance, "dLogits");

            Gpu.Run(new CrossEntropyBackwardCall(GpuState, logits.Gpu, targets.Gpu, logSumExp.Gpu, dLoss.Gpu, logits.Gpu, Accumulate: false));
            Cpu.Run(new CrossEntropyBackwardCall(CpuState, logits.Cpu, targets.Cpu, logSumExp.Cpu, dLoss.Cpu, logits.Cpu, Accumulate: false));
            twins.AssertClose(padded, tolerance, "dLogits in place");
        }
    }

    [Test]
    public void InfiniteLogitsAndBadTargets()
    {
        using var memory = new Memory(Gpu);
        float none = float.NegativeInfinity;
        View logits = memory.New(DType.Float32, [3, 6], [none, none, none, none, 1, 1, 0, 0, 0, 0, 0, 0, 0, float.NaN, 0, 0, 0, 0]);
        View targets = memory.Integers([3], [4, 6, 0]), losses = memory.New(DType.Float32, 3), logSumExp = memory.New(DType.Float32, 3), loss = memory.New(DType.Float32, 1);
        Set(3);
        Gpu.Run(new CrossEntropyCall(GpuState, logits, targets, losses, logSumExp, loss));
        float[] nats = memory.Read(losses);
        Assert.That(nats[0], Is.EqualTo(MathF.Log(2)).Within(1e-6));
        Assert.That(nats[1..], Is.All.NaN);
        Assert.That(memory.Read(loss)[0], Is.NaN);
        Assert.That(GpuState.GetDouble(StepSlot.Loss), Is.NaN);
    }

    [Test]
    public void OfPartsOfRowsLossesAreThoseOfTheRows([Values(1, 7, 130)] int width)
    {
        const int Rows = 5, Vocab = 300;
        using var memory = new Memory(Gpu);
        float[] values = [.. Enumerable.Range(0, Rows * Vocab).Select(i => 6 * MathF.Sin(i * 0.37f))];
        // A part more than there are columns for: of none the largest is the least number.
        int parts = ((Vocab + width - 1) / width) + 1;
        float[] sums = [.. Enumerable.Range(0, Rows * parts).SelectMany(i =>
        {
            float[] own = [.. values.Skip((i / parts * Vocab) + (i % parts * width)).Take(Math.Clamp(Vocab - (i % parts * width), 0, width))];
            float most = own.Length == 0 ? float.MinValue : own.Max();
            return new[] { most, own.Sum(value => MathF.Exp(value - most)) };
        })];
        View logits = memory.New(DType.Float32, [Rows, Vocab], values), targets = memory.Integers([Rows], [3, -1, 299, 0, 150]), of = memory.New(DType.Float32, [sums.Length], sums);
        View losses = memory.New(DType.Float32, Rows), logSumExp = memory.New(DType.Float32, Rows), lossesOfParts = memory.New(DType.Float32, Rows), logSumExpOfParts = memory.New(DType.Float32, Rows);
        using var kernel = new GpuCrossEntropy(Gpu.Context);
        kernel.Losses(logits, targets, losses, logSumExp);
        kernel.Losses(logits, targets, lossesOfParts, logSumExpOfParts, Gpu.Context.View<float>(of));
        Assert.That(memory.Read(logSumExpOfParts), Is.EqualTo(memory.Read(logSumExp)).Within(2e-6));
        Assert.That(memory.Read(lossesOfParts), Is.EqualTo(memory.Read(losses)).Within(2e-6));
    }

    private void Set(long targets)
    {
        foreach (StepState state in new[] { GpuState, CpuState })
        {
            state.Set(StepSlot.TargetCount, targets);
            state.Set(StepSlot.Loss, 0.25);
            state.Set(StepSlot.LossScale, 8.0);
        }
    }
}
