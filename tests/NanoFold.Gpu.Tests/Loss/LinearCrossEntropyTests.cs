using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Loss;
using NanoFold.Kernels.Gpu.MatMul;

namespace NanoFold.Gpu.Tests.Loss;

public class LinearCrossEntropyTests : GpuTests
{
    private static (int Rows, int Width, int Vocab)[] Shapes => IsSimulated ? [(1, 3, 2), (8, 5, 13)] : [(1, 3, 2), (300, 33, 257), (2048, 256, 4100)];

    [Test]
    public void Losses_and_gradients_are_those_of_the_cpu([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool keepsLogits, [Values] bool accumulateX)
    {
        foreach ((int rows, int width, int vocab) in Shapes)
        {
            using var twins = new Twins(Gpu, Cpu);
            // Rows of no multiple of what a chunk holds.
            ILinearCrossEntropy gpu = new GpuLinearCrossEntropy(Gpu.Context, new GpuMatMul(Gpu.Context), mostRows: rows / 3 + 1), cpu = Cpu.RequireInterface<ILinearCrossEntropy>();
            // Weights as a model has them: of larger logits the type's rounding alone moves probabilities by more than it does sums.
            Twin x = twins.Random(type, 1, rows, width), weight = twins.Normal(type, 2, 1 / Math.Sqrt(width), vocab, width);
            Twin targets = twins.Integers([rows], [.. Enumerable.Range(0, rows).Select(i => i % 4 == 3 ? -1 : i * 7 % vocab)]);
            Twin losses = twins.Random(DType.Float32, 3, rows), logSumExp = twins.Random(DType.Float32, 4, rows), loss = twins.Random(DType.Float32, 5, 1);
            Twin dLoss = twins.New(DType.Float32, [1], [0.5f]), dX = twins.Random(type, 6, rows, width), dWeight = twins.Random(DType.Float32, 7, vocab, width);
            Twin scratch = twins.Scratch(gpu.ScratchBytes(rows, width, vocab, keepsLogits), cpu.ScratchBytes(rows, width, vocab, keepsLogits: false));
            Twin logits = default;
            if (keepsLogits)
            {
                Twin padded = twins.Random(type, 8, rows, gpu.LogitsColumns(vocab, type));
                logits = padded.With(padded.Cpu.Layout.Slice(1, 0, vocab, out _));
            }

            foreach (StepState state in new[] { Gpu.State, Cpu.State })
            {
                state.Set(StepSlot.TargetCount, (long)rows);
                state.Set(StepSlot.Loss, 0.25);
                state.Set(StepSlot.LossScale, 2.0 * rows);
            }

            gpu.Forward(x.Gpu, weight.Gpu, targets.Gpu, losses.Gpu, logSumExp.Gpu, loss.Gpu, scratch.Gpu, logits.Gpu);
            cpu.Forward(x.Cpu, weight.Cpu, targets.Cpu, losses.Cpu, logSumExp.Cpu, loss.Cpu, scratch.Cpu);
            double tolerance = Twins.Tolerance(type);
            twins.AssertClose(losses, tolerance, "losses");
            twins.AssertClose(logSumExp, tolerance, "logSumExp");
            twins.AssertClose(loss, tolerance, "loss");
            Assert.That(Gpu.State.GetDouble(StepSlot.Loss), Is.EqualTo(Cpu.State.GetDouble(StepSlot.Loss)).Within(10 * tolerance));

            gpu.Backward(x.Gpu, weight.Gpu, targets.Gpu, logSumExp.Gpu, dLoss.Gpu, dX.Gpu, accumulateX, dWeight.Gpu, scratch.Gpu, logits.Gpu);
            cpu.Backward(x.Cpu, weight.Cpu, targets.Cpu, logSumExp.Cpu, dLoss.Cpu, dX.Cpu, accumulateX, dWeight.Cpu, scratch.Cpu);
            // Logits of 16 bits are rounded, and so are their gradients: two roundings of the type.
            twins.AssertClose(dX, 2 * tolerance, "dX");
            twins.AssertClose(dWeight, 2 * tolerance, "dWeight");
        }
    }

    [Test]
    public void Kept_logits_begin_at_sixteen_bytes()
    {
        ILinearCrossEntropy kernel = Gpu.RequireInterface<ILinearCrossEntropy>();
        Assert.That(kernel.LogitsColumns(50257, DType.BFloat16), Is.EqualTo(50264));
        Assert.That(kernel.LogitsColumns(2048, DType.Float32), Is.EqualTo(2048));
        Assert.That(kernel.ScratchBytes(8192, 768, 50257, keepsLogits: true), Is.Zero);
    }
}
