using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Loss;
using NanoFold.Kernels.Gpu.MatMul;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Loss;

public class LinearCrossEntropyTests : GpuTests
{
    private static (int Rows, int Width, int Vocab)[] Shapes => IsSimulated ? [(1, 3, 2), (8, 5, 13)] : [(1, 3, 2), (300, 33, 257), (2048, 256, 4100)];

    [Test]
    public void LossesAndGradientsAreThoseOfTheCpu([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool keeps, [Values] bool accumulateX)
    {
        foreach ((int rows, int width, int vocab) in Shapes)
        {
            using var twins = new Twins(Gpu, Cpu);
            // Rows of no multiple of what a chunk holds.
            var gpu = new GpuLinearCrossEntropy(Gpu.Context, new GpuMatMul(Gpu.Context, sumsRows: true), mostRows: rows / 3 + 1);
            // Weights as a model has them: of larger logits the type's rounding alone moves probabilities by more than it does sums.
            Twin x = twins.Random(type, 1, rows, width), weight = twins.Normal(type, 2, 1 / Math.Sqrt(width), vocab, width);
            Twin targets = twins.Integers([rows], [.. Enumerable.Range(0, rows).Select(i => i % 4 == 3 ? -1 : i * 7 % vocab)]);
            Twin losses = twins.Random(DType.Float32, 3, rows), logSumExp = twins.Random(DType.Float32, 4, rows), loss = twins.Random(DType.Float32, 5, 1);
            Twin dLoss = twins.New(DType.Float32, [1], [0.5f]), dX = twins.Random(type, 6, rows, width), dWeight = twins.Random(DType.Float32, 7, vocab, width);
            var shape = new LinearCrossEntropyCall { X = x.Gpu, Weight = weight.Gpu };
            Twin kept = keeps ? twins.Scratch(gpu.KeptBytes(shape), 0) : default;
            Twin scratch = twins.Scratch(gpu.ScratchBytes(shape with { Kept = kept.Gpu }), Cpu.ScratchBytes(new LinearCrossEntropyCall { X = x.Cpu, Weight = weight.Cpu }));
            foreach (StepState state in new[] { GpuState, CpuState })
            {
                state.Set(StepSlot.TargetCount, (long)rows);
                state.Set(StepSlot.Loss, 0.25);
                state.Set(StepSlot.LossScale, 2.0 * rows);
            }

            gpu.Run(new LinearCrossEntropyCall(GpuState, x.Gpu, weight.Gpu, targets.Gpu, losses.Gpu, logSumExp.Gpu, loss.Gpu, scratch.Gpu, kept.Gpu));
            Cpu.Run(new LinearCrossEntropyCall(CpuState, x.Cpu, weight.Cpu, targets.Cpu, losses.Cpu, logSumExp.Cpu, loss.Cpu, scratch.Cpu, default));
            double tolerance = Twins.Tolerance(type);
            twins.AssertClose(losses, tolerance, "losses");
            twins.AssertClose(logSumExp, tolerance, "logSumExp");
            twins.AssertClose(loss, tolerance, "loss");
            Assert.That(GpuState.GetDouble(StepSlot.Loss), Is.EqualTo(CpuState.GetDouble(StepSlot.Loss)).Within(10 * tolerance));

            gpu.Run(new LinearCrossEntropyBackwardCall(GpuState, x.Gpu, weight.Gpu, targets.Gpu, logSumExp.Gpu, dLoss.Gpu, dX.Gpu, accumulateX, dWeight.Gpu, scratch.Gpu, kept.Gpu) { BeginsWeight = !accumulateX });
            Cpu.Run(new LinearCrossEntropyBackwardCall(CpuState, x.Cpu, weight.Cpu, targets.Cpu, logSumExp.Cpu, dLoss.Cpu, dX.Cpu, accumulateX, dWeight.Cpu, scratch.Cpu, default) { BeginsWeight = !accumulateX });
            // Logits of 16 bits are rounded, and so are their gradients: two roundings of the type.
            twins.AssertClose(dX, 2 * tolerance, "dX");
            twins.AssertClose(dWeight, 2 * tolerance, "dWeight");
        }
    }

    [Test]
    public void KeptLogitsBeginAtSixteenBytes()
    {
        static View Shape(DType type, params ReadOnlySpan<int> shape) => View.OfShape(Layout.Of(shape), type);
        IKernel<LinearCrossEntropyCall> kernel = Gpu.Require<LinearCrossEntropyCall>();
        var half = new LinearCrossEntropyCall { X = Shape(DType.BFloat16, 3, 768), Weight = Shape(DType.BFloat16, 50257, 768) };
        var single = new LinearCrossEntropyCall { X = Shape(DType.Float32, 3, 768), Weight = Shape(DType.Float32, 2048, 768) };
        Assert.That(kernel.KeptBytes(half), Is.EqualTo(3 * 50264 * sizeof(ushort)));
        Assert.That(kernel.KeptBytes(single), Is.EqualTo(3 * 2048 * sizeof(float)));
        Assert.That(kernel.ScratchBytes(half with { Kept = Shape(DType.Float32, 3, 25132) }), Is.Zero);
    }
}
