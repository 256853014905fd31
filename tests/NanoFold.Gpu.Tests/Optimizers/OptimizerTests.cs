using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Optimizers;

public class OptimizerTests : GpuTests
{
    private static readonly StepSlot[] s_doubles = [StepSlot.GradientSquares, StepSlot.GradientScale, StepSlot.LossScale, StepSlot.Loss];

    private static int[] Counts => IsSimulated ? [1, 4, 203, 1024] : [1, 4, 203, 1 << 16, (1 << 22) + 3];

    // A range within a store may begin anywhere.
    [Test]
    public void PassesAreThoseOfTheCpu([Values(0, 4, 3)] int offset, [Values(1L, 2L, 1000L)] long step)
    {
        foreach (int count in Counts)
        {
            using var twins = new Twins(Gpu, Cpu);
            Twin[] all = [.. Enumerable.Range(0, 7).Select(i => twins.Random(DType.Float32, i + 1, count + offset + 2))];
            Layout range = Layout.Of(count);
            Twin p = all[0].With(range, offset), g = all[1].With(range, offset), m = all[2].With(range, offset), v = all[3].With(range, offset);
            Twin update = all[4].With(range, offset), momentum = all[5].With(range, offset), y = all[6].With(range, offset);
            Absolute(v);
            Set(step, lossScale: 4, loss: 1);
            Gpu.Run(new AddSquaresCall(GpuState, g.Gpu));
            Cpu.Run(new AddSquaresCall(CpuState, g.Cpu));
            Gpu.Run(new AddSquaresCall(GpuState, m.Gpu));
            Cpu.Run(new AddSquaresCall(CpuState, m.Cpu));
            Gpu.Run(new DecideCall(GpuState, 0.125, DynamicLossScale: false));
            Cpu.Run(new DecideCall(CpuState, 0.125, DynamicLossScale: false));
            AssertStates();
            StepSlot rate = offset == 0 ? StepSlot.LearningRate : GpuState.Add("matrix rate");
            Gpu.Run(new AdamWCall(GpuState, p.Gpu, g.Gpu, m.Gpu, v.Gpu, 0.9, 0.95, 1e-8, 0.1) { Rate = rate });
            Cpu.Run(new AdamWCall(CpuState, p.Cpu, g.Cpu, m.Cpu, v.Cpu, 0.9, 0.95, 1e-8, 0.1) { Rate = rate });
            Gpu.Run(new MuonMomentumCall(GpuState, g.Gpu, momentum.Gpu, update.Gpu, 0.95));
            Cpu.Run(new MuonMomentumCall(CpuState, g.Cpu, momentum.Cpu, update.Cpu, 0.95));
            Gpu.Run(new NormalizeFrobeniusCall(GpuState, update.Gpu, y.Gpu));
            Cpu.Run(new NormalizeFrobeniusCall(CpuState, update.Cpu, y.Cpu));
            Gpu.Run(new MuonApplyCall(GpuState, GpuState.Add("matrix rate"), p.Gpu, y.Gpu, 0.1, 2));
            Cpu.Run(new MuonApplyCall(CpuState, CpuState.Add("matrix rate"), p.Cpu, y.Cpu, 0.1, 2));
            for (int i = 0; i < all.Length; i++)
            {
                twins.AssertClose(all[i], 2e-6, $"tensor {i}");
            }
        }
    }

    [TestCase(0)]
    [TestCase(3)]
    public void FormulasAreThoseOfTheCpu(int offset)
    {
        AssertFormula(default(SgdFormula), 0, offset);
        AssertFormula(new MomentumFormula(0.9, 1, 0.9), 1, offset);
        AssertFormula(new LionFormula(0.9, 0.99), 1, offset);
        AssertFormula(new AdEMAMixFormula(0.9, 0.999, 0.9999, 5, 1e-8), 3, offset);
    }

    [TestCase(1.0, 1e30f, 3L)]
    [TestCase(65536.0, 1e30f, 3L)]
    [TestCase(65536.0, 1f, 1999L)]
    [TestCase(16777216.0, 1f, 1999L)]
    [TestCase(65536.0, 1f, 7L)]
    public void AStepIsDecidedAsOnTheCpu(double lossScale, float gradient, long good)
    {
        foreach (bool isDynamic in new[] { false, true })
        {
            using var twins = new Twins(Gpu, Cpu);
            Twin g = twins.New(DType.Float32, [3], [gradient, gradient, -gradient]);
            Set(1, lossScale, loss: 2);
            foreach (StepState state in new[] { GpuState, CpuState })
            {
                state.Set(StepSlot.GoodSteps, good);
                state.Set(StepSlot.Skipped, 5L);
            }

            Gpu.Run(new AddSquaresCall(GpuState, g.Gpu));
            Gpu.Run(new DecideCall(GpuState, 1, isDynamic));
            Cpu.Run(new AddSquaresCall(CpuState, g.Cpu));
            Cpu.Run(new DecideCall(CpuState, 1, isDynamic));
            AssertStates();
        }
    }

    [Test]
    public void ATermThatIsNotFiniteSkipsTheStep()
    {
        Set(1, lossScale: 1, loss: 1);
        StepSlot[] terms = [.. Enumerable.Range(0, StepState.MostTerms).Select(i => GpuState.AddTerm($"term {i}"))];
        GpuState.Set(GpuState.Add("no term"), double.NaN);
        Gpu.Run(new DecideCall(GpuState, 1, DynamicLossScale: false));
        Assert.That((GpuState.GetDouble(StepSlot.GradientScale), GpuState.GetInteger(StepSlot.Skipped)), Is.EqualTo((1.0, 0L)));
        GpuState.Set(terms[^1], double.PositiveInfinity);
        Gpu.Run(new DecideCall(GpuState, 1, DynamicLossScale: false));
        Assert.That((GpuState.GetDouble(StepSlot.GradientScale), GpuState.GetInteger(StepSlot.Skipped)), Is.EqualTo((0.0, 1L)));
    }

    [Test]
    public void ASkippedStepWritesNothing()
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin[] all = [.. Enumerable.Range(0, 5).Select(i => twins.Random(DType.Float32, i + 1, 70))];
        Set(1, lossScale: 1, loss: double.NaN);
        Gpu.Run(new AddSquaresCall(GpuState, all[0].Gpu));
        Gpu.Run(new DecideCall(GpuState, 1, DynamicLossScale: false));
        Assert.That((GpuState.GetDouble(StepSlot.GradientScale), GpuState.GetInteger(StepSlot.Skipped)), Is.EqualTo((0.0, 1L)));
        Gpu.Run(new AdamWCall(GpuState, all[0].Gpu, all[1].Gpu, all[2].Gpu, all[3].Gpu, 0.9, 0.95, 1e-8, 0.1));
        Gpu.Run(new MuonMomentumCall(GpuState, all[0].Gpu, all[1].Gpu, all[2].Gpu, 0.9));
        Gpu.Run(new NormalizeFrobeniusCall(GpuState, all[0].Gpu, all[1].Gpu));
        Gpu.Run(new MuonApplyCall(GpuState, GpuState.Add("matrix rate"), all[0].Gpu, all[1].Gpu, 0.1, 1));
        for (int i = 0; i < all.Length; i++)
        {
            twins.AssertClose(all[i], 0, $"tensor {i}");
        }
    }

    [Test]
    public void AZeroMatrixStaysZero()
    {
        using var memory = new Memory(Gpu);
        View x = memory.New(DType.Float32, 3, 5);
        Set(1, lossScale: 1, loss: 1);
        GpuState.Set(StepSlot.GradientScale, 1.0);
        Gpu.Run(new NormalizeFrobeniusCall(GpuState, x, x));
        Assert.That(memory.Read(x), Is.All.EqualTo(0f));
    }

    // To 1e-40, where the elements themselves have few bits left: as large as 1e-30 asks for, and beyond.
    [Test]
    public void ANormalizedMatrixDoesNotDependOnItsScale([Values(12, 203, 5000)] int count)
    {
        using var memory = new Memory(Gpu);
        View x = memory.New(DType.Float32, count), y = memory.New(DType.Float32, count);
        float[] values = [.. Enumerable.Range(1, count).Select(i => MathF.Sin(i))];
        Set(1, lossScale: 1, loss: 1);
        GpuState.Set(StepSlot.GradientScale, 1.0);
        float[] Normalized(double scale)
        {
            Gpu.Upload<float>([.. values.Select(v => (float)(v * scale))], x);
            Gpu.Run(new NormalizeFrobeniusCall(GpuState, x, y));
            return [.. memory.Read(y)];
        }

        float[] expected = Normalized(1);
        Assert.That(expected.Sum(v => (double)v * v), Is.EqualTo(1).Within(1e-5));
        foreach (int power in new[] { -10, -39, -41, -60, -100, -110, 20 })
        {
            Assert.That(Normalized(Math.ScaleB(1, power)), Is.EqualTo(expected).Within(power is -39 or -41 or < -60 ? 1e-6f : 0f), $"2^{power}");
        }

        Assert.That(Normalized(1e-30), Is.EqualTo(expected).Within(1e-6));
    }

    private void AssertFormula<TFormula>(TFormula formula, int slots, int offset)
        where TFormula : struct, IUpdateFormula
    {
        foreach (int count in new[] { 203, IsSimulated ? 1024 : 1 << 20 })
        {
            using var twins = new Twins(Gpu, Cpu);
            Twin[] all = [.. Enumerable.Range(0, 5).Select(i => twins.Random(DType.Float32, i + 1, count + offset + 2))];
            Absolute(all[4]);
            Set(3, lossScale: 1, loss: 1);
            foreach (StepState state in new[] { GpuState, CpuState })
            {
                state.Set(StepSlot.GradientScale, 0.5);
                state.Set(state.Add("a"), 1.25);
            }

            UpdateArgs Args(StepState state, Func<Twin, View> on)
            {
                View[] views = [.. all.Select((twin, i) => i < 2 + slots ? on(twin.With(Layout.Of(count), offset)) : default)];
                return new UpdateArgs(state, views[0], views[1], views[2], views[3], views[4]) { Decay = 0.1, FactorA = state.Add("a") };
            }

            Gpu.Update(formula, Args(GpuState, twin => twin.Gpu));
            Cpu.Update(formula, Args(CpuState, twin => twin.Cpu));
            for (int i = 0; i < all.Length; i++)
            {
                twins.AssertClose(all[i], 2e-6, $"{typeof(TFormula).Name}, {count} from {offset}: tensor {i}");
            }
        }
    }

    private void Absolute(in Twin x)
    {
        float[] values = new float[x.Cpu.Count];
        Cpu.Download<float>(x.Cpu, values);
        values = Array.ConvertAll(values, MathF.Abs);
        Cpu.Upload<float>(values, x.Cpu);
        Gpu.Upload<float>(values, x.Gpu);
    }

    private void Set(long step, double lossScale, double loss)
    {
        foreach (StepState state in new[] { GpuState, CpuState })
        {
            state.Set(StepSlot.Step, step);
            state.Set(StepSlot.LearningRate, 0.01);
            state.Set(state.Add("matrix rate"), 0.02);
            state.Set(StepSlot.LossScale, lossScale);
            state.Set(StepSlot.Loss, loss);
            state.Set(StepSlot.GradientSquares, 0.0);
            state.Set(StepSlot.Skipped, 0L);
            state.Set(StepSlot.GoodSteps, 0L);
        }
    }

    private void AssertStates()
    {
        foreach (StepSlot slot in s_doubles)
        {
            Assert.That(GpuState.GetDouble(slot), Is.EqualTo(CpuState.GetDouble(slot)).Within(1e-4).Percent, slot.ToString());
        }

        Assert.That(GpuState.GetInteger(StepSlot.Skipped), Is.EqualTo(CpuState.GetInteger(StepSlot.Skipped)));
        Assert.That(GpuState.GetInteger(StepSlot.GoodSteps), Is.EqualTo(CpuState.GetInteger(StepSlot.GoodSteps)));
    }
}
