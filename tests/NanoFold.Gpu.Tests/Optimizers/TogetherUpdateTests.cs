using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Optimizers;

/// <summary>AdamW over all roles in one launch, which also rounds what it updates.</summary>
public class TogetherUpdateTests : GpuTests
{
    private const int Count = 1000;

    // Offsets that whole pieces of four fit to, and one that they do not.
    [Test]
    public void PartsHaveTheBitsOfOneByOne([Values(0, 4, 3)] int offset, [Values(DType.BFloat16, DType.Float16, DType.Float32)] DType rounded, [Values(1, 4)] int parts)
    {
        using var memory = new Memory(Gpu);
        View[] together = Vectors(memory, offset), apart = Vectors(memory, offset);
        View copy = rounded == DType.Float32 ? default : memory.New(rounded, Count + offset + 2).With(Layout.Of(Count), offset);
        Decide(1);
        StepSlot other = GpuState.Add("other rate");
        GpuState.Set(other, 0.3);
        UpdatePart[] all = parts == 1 ? [new(Count, other, 0.1)] : [new(64, StepSlot.LearningRate, 0.1), new(128, other, 0), new(900, StepSlot.LearningRate, 0.01), new(Count, other, 0.5)];
        Gpu.Run(new AdamWTogetherCall(GpuState, together[0], together[1], together[2], together[3], 0.9, 0.99, 1e-8, all) { Rounded = copy });
        for (int i = 0, start = 0; i < all.Length; start = all[i++].End)
        {
            View[] part = [.. apart.Select(view => view.With(Layout.Of(all[i].End - start), start))];
            Gpu.Run(new AdamWCall(GpuState, part[0], part[1], part[2], part[3], 0.9, 0.99, 1e-8, all[i].Decay) { Rate = all[i].Rate });
        }

        for (int i = 0; i < together.Length; i++)
        {
            Assert.That(memory.Read(together[i]), Is.EqualTo(memory.Read(apart[i])), $"vector {i}");
        }

        if (!copy.IsNone)
        {
            View expected = memory.New(rounded, Count);
            Gpu.Copy(apart[0], expected);
            Assert.That(memory.Read(copy), Is.EqualTo(memory.Read(expected)), "rounded");
        }
    }

    [Test]
    public void ASkippedStepWritesNothing()
    {
        using var memory = new Memory(Gpu);
        View[] all = Vectors(memory, 0);
        float[][] before = [.. all.Select(view => memory.Read(view))];
        View copy = memory.Random(DType.BFloat16, 9, Count);
        float[] rounded = memory.Read(copy);
        Decide(double.NaN);
        Gpu.Run(new AdamWTogetherCall(GpuState, all[0], all[1], all[2], all[3], 0.9, 0.99, 1e-8, (UpdatePart[])[new(Count, StepSlot.LearningRate, 0)]) { Rounded = copy });
        Assert.That(all.Select(view => memory.Read(view)), Is.EqualTo(before));
        Assert.That(memory.Read(copy), Is.EqualTo(rounded));
    }

    [TestCase(new[] { 64, 64, Count }, "part 1 ends at 64")]
    [TestCase(new[] { 63, Count }, "part 0 ends at 63")]
    [TestCase(new[] { 64, 128 }, "part 1 ends at 128")]
    [TestCase(new int[0], "0 parts")]
    [TestCase(new[] { 4, 8, 12, 16, Count }, "5 parts")]
    public void PartsThatDoNotFitAreRefused(int[] ends, string why)
    {
        using var memory = new Memory(Gpu);
        View[] all = Vectors(memory, 0);
        UpdatePart[] parts = [.. ends.Select(end => new UpdatePart(end, StepSlot.LearningRate, 0))];
        Assert.That(() => Gpu.Run(new AdamWTogetherCall(GpuState, all[0], all[1], all[2], all[3], 0.9, 0.99, 1e-8, parts)),
            Throws.ArgumentException.With.Message.Contains(why));
    }

    /// <summary>The whole of an update, with a factor on the rate of some, against AdamW and a copy range by range on the CPU; and how many launches it takes.</summary>
    [TestCase("adamw", DType.BFloat16, 4)]
    [TestCase("adamw", DType.Float32, 4)]
    [TestCase("muon", DType.BFloat16, 0)]
    public void AnUpdateOfAStoreIsThatOfTheCpu(string optimizer, DType shadow, int launches)
    {
        using ParameterStore gpu = Store(Gpu, shadow), cpu = Store(Cpu, DType.Float32);
        TrainConfig config = new TrainConfig { Optimizer = NanoFold.Tests.Suites.Optimizers.Of(optimizer), Steps = 10, Warmup = 0 }.Resolve("nano");
        using (var onGpu = new Optimizer(gpu, config, GpuState))
        using (var onCpu = new Optimizer(cpu, config, CpuState))
        {
            for (long step = 1; step <= 3; step++)
            {
                foreach ((StepState state, Optimizer one) in new[] { (GpuState, onGpu), (CpuState, onCpu) })
                {
                    state.Set(StepSlot.Step, step);
                    state.Set(StepSlot.LossScale, 1.0);
                    state.Set(StepSlot.GradientSquares, 0.0);
                    one.Begin(step, 1);
                }

                Gpu.Context.FlushStates();
                long before = Gpu.Context.Version;
                onGpu.Update();
                onCpu.Update();
                Assert.That(launches == 0 ? launches : (int)(Gpu.Context.Version - before), Is.EqualTo(launches), "the sum of squares in two, the decision, the update");
            }
        }

        foreach (Parameter parameter in gpu.Parameters)
        {
            Numbers.AssertClose(Host.Read(gpu, parameter), Host.Read(cpu, cpu[parameter.Name]), 1e-5, parameter.Name);
            if (shadow != DType.Float32)
            {
                using var memory = new Memory(Gpu);
                View expected = memory.New(shadow, parameter.Layout.ToShape());
                Gpu.Copy(gpu.Values(parameter), expected);
                Assert.That(memory.Read(gpu.Values(parameter, shadow)), Is.EqualTo(memory.Read(expected)), $"{parameter.Name}, rounded");
            }
        }
    }

    private static ParameterStore Store(Backend backend, DType shadow)
    {
        var store = new ParameterStore(backend);
        store.Add("a", Layout.Of(24, 8), ParameterRole.Matrix, Initializer.Uniform(1));
        store.Add("head", Layout.Of(8, 5), ParameterRole.Head, Initializer.Uniform(1));
        store.Add("token", Layout.Of(7, 8), ParameterRole.Embedding, Initializer.Uniform(1));
        store.Add("b", Layout.Of(8, 24), ParameterRole.Matrix, Initializer.Uniform(1));
        store.Add("gain", Layout.Of(8), ParameterRole.Vector, Initializer.Uniform(1));
        store.Allocate(3);
        foreach (Parameter parameter in store.Parameters)
        {
            Host.Write(backend, store.Gradients(parameter), [.. Numbers.Uniform(parameter.Name, parameter.Layout.Count, -1, 1).Select(g => (double)(float)g)]);
        }

        if (shadow != DType.Float32)
        {
            store.Shadow(shadow);
        }

        return store;
    }

    private static View[] Vectors(Memory memory, int offset) => [.. Enumerable.Range(0, 4).Select(i =>
    {
        View view = memory.New(DType.Float32, [Count + offset + 2], [.. Enumerable.Range(1, Count + offset + 2).Select(n => i == 3 ? 2 + MathF.Sin(n * 0.37f) : MathF.Sin(n * (0.11f + i)))]);
        return view.With(Layout.Of(Count), offset);
    })];

    private void Decide(double loss)
    {
        GpuState.Set(StepSlot.Step, 3L);
        GpuState.Set(StepSlot.LearningRate, 0.01);
        GpuState.Set(StepSlot.LossScale, 2.0);
        GpuState.Set(StepSlot.Loss, loss);
        GpuState.Set(StepSlot.GradientSquares, 4.0);
        Gpu.Run(new DecideCall(GpuState, 0.5, DynamicLossScale: false));
    }
}
