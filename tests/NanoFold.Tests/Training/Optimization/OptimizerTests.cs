using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training.Optimization;

public class OptimizerTests
{
    [Test]
    public void MuonTakesStepsOfOneSizeHoweverSmallGradientsAre()
    {
        double[] expected = Steps(1);
        Assert.That(expected.Max(Math.Abs), Is.GreaterThan(5e-3));
        foreach (double size in new[] { 1e-7, 1e-10, 1e-20, 1e-30 })
        {
            Assert.That(Steps(size), Is.EqualTo(expected).Within(1e-6), $"{size}");
        }

        Assert.That(Steps(0), Has.All.Zero);
    }

    // Where a matrix of zeros is after three steps along gradients of a size.
    private static double[] Steps(double size)
    {
        using var backend = new CpuBackend(1);
        using var store = new ParameterStore(backend);
        Parameter matrix = store.Add("matrix", Layout.Of(6, 10), ParameterRole.Matrix, Initializer.Zero);
        store.Allocate(1);
        using StepState state = backend.NewState();
        using var optimizer = new Optimizer(store, new TrainConfig { Optimizer = new MuonConfig(), Clip = 0 }.Resolve("nano"), state);
        optimizer.Begin(1, 1);
        for (int step = 0; step < 3; step++)
        {
            state.Set(StepSlot.Step, step + 1L);
            state.Set(StepSlot.GradientSquares, 0.0);
            backend.Upload<float>([.. Numbers.Uniform($"gradient {step}", 60, -1, 1).Select(v => (float)(v * size))], store.Gradients(matrix));
            optimizer.Update();
        }

        return Host.Read(store, matrix);
    }
}
