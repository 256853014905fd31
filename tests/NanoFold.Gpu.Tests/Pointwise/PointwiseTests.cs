using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Lanes;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Pointwise;

public class PointwiseTests : GpuTests
{
    [TestCase(DType.Float32, 1e-6)]
    [TestCase(DType.BFloat16, 1e-2)]
    [TestCase(DType.Float16, 2e-3)]
    public void AFormulaIsThatOfTheCpu(DType type, double tolerance)
    {
        using var memory = new Memory(Gpu);
        foreach (int[] shape in new int[][] { [1], [7], [4, 8], [3, 5, 6] })
        {
            View a = memory.Random(type, 1, shape), b = memory.Random(type, 2, shape), y = memory.Random(type, 3, shape);
            float[] before = memory.Read(y);
            Gpu.Zip(default(Formula), a, b, y, accumulate: true);
            AssertClose(memory.Read(y), [.. memory.Read(a).Zip(memory.Read(b), before).Select(t => t.Third + Formula.Of(t.First, t.Second))], tolerance);
        }
    }

    [Test]
    public void StridedAndBroadcastOperands()
    {
        using var memory = new Memory(Gpu);
        View a = memory.Random(DType.Float32, 1, 4, 3, 5), b = memory.Random(DType.Float32, 2, 5), y = memory.New(DType.Float32, 5, 3, 4);
        Gpu.Zip(default(Formula), a.With(a.Layout.Permute(2, 1, 0)), b.With(Layout.Of(5, 1, 1)), y);
        float[] x = memory.Read(a), v = memory.Read(b);
        AssertClose(memory.Read(y), [.. Enumerable.Range(0, 60).Select(i => Formula.Of(x[i % 4 * 15 + i / 4 % 3 * 5 + i / 12], v[i / 12]))], 1e-6);
    }

    [Test]
    public void WhatIsNotANumberAndWhatIsNotFiniteAreThoseOfTheCpu()
    {
        float[] values = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, -0f, 1e30f, -1e30f, 100, -100, 88.5f, -87, 3];
        using var twins = new Twins(Gpu, Cpu);
        Twin a = twins.New(DType.Float32, [12, 12], [.. Enumerable.Range(0, 144).Select(i => values[i / 12])]);
        Twin b = twins.New(DType.Float32, [12, 12], [.. Enumerable.Range(0, 144).Select(i => values[i % 12])]);
        Check<Activated<Sigmoid>>();
        Check<Activated<Silu>>();
        Check<Activated<Gelu>>();
        Check<Activated<GeluTanh>>();
        Check<Activated<Relu>>();
        Check<Compared>();

        void Check<TOp>()
            where TOp : struct, IBinaryOp
        {
            Twin y = twins.New(DType.Float32, [12, 12], new float[144]);
            Gpu.Zip(default(TOp), a.Gpu, b.Gpu, y.Gpu);
            Cpu.Zip(default(TOp), a.Cpu, b.Cpu, y.Cpu);
            float[] actual = twins.Read(y), expected = new float[144];
            Cpu.Download<float>(y.Cpu, expected);
            for (int i = 0; i < 144; i++)
            {
                Assert.That(actual[i], Is.EqualTo(expected[i]).Within(1e-36 + 1e-5 * (float.IsFinite(expected[i]) ? Math.Abs(expected[i]) : 0)), $"{typeof(TOp).Name} of {values[i / 12]}, {values[i % 12]}");
            }
        }
    }

    [Test]
    public void FillAndCopyBetweenTypes()
    {
        using var memory = new Memory(Gpu);
        foreach (DType type in new[] { DType.Float32, DType.BFloat16, DType.Float16 })
        {
            View y = memory.New(type, 3, 4);
            Gpu.Fill(y, 2.5);
            Assert.That(memory.Read(y), Is.All.EqualTo(2.5f));
            View slice = y.With(y.Layout.Slice(1, 1, 2, out long offset), offset);
            Gpu.Fill(slice, -1);
            Assert.That(memory.Read(y), Is.EqualTo(Enumerable.Range(0, 12).Select(i => i % 4 is 1 or 2 ? -1f : 2.5f)));
            View single = memory.New(DType.Float32, 4, 3);
            Gpu.Copy(y.With(y.Layout.Permute(1, 0)), single);
            Assert.That(memory.Read(single), Is.EqualTo(Enumerable.Range(0, 12).Select(i => i / 3 is 1 or 2 ? -1f : 2.5f)));
            Gpu.Copy(single, y.With(y.Layout.Permute(1, 0)), accumulate: true);
            Assert.That(memory.Read(y), Is.EqualTo(Enumerable.Range(0, 12).Select(i => i % 4 is 1 or 2 ? -2f : 5f)));
        }
    }

    [Test]
    public void AStateIsWrittenBeforeAKernelThatReadsItAndReadBack()
    {
        using StepState other = Gpu.NewState();
        StepSlot far = other.Add("a"), last = default;
        for (int i = 0; i < StepState.Capacity - (int)StepSlot.Free - 1; i++)
        {
            last = other.Add($"{i}");
        }

        other.Set(far, 1.5);
        other.Set(last, 2.5);
        GpuState.Set(StepSlot.Step, 7L);
        GpuState.Set(StepSlot.LearningRate, 0.25);
        Assert.That(GpuState.GetInteger(StepSlot.Step), Is.EqualTo(7));
        using var memory = new Memory(Gpu);
        Gpu.Fill(memory.New(DType.Float32, 1), 1);
        Assert.That(GpuState.GetDouble(StepSlot.LearningRate), Is.EqualTo(0.25));
        View x = memory.New(DType.Float32, [2], [3, 4]);
        foreach (StepState state in new[] { GpuState, other })
        {
            Gpu.Run(new AddSquaresCall(state, x));
        }

        Gpu.Run(new AddSquaresCall(other, x));
        Assert.That((GpuState.GetDouble(StepSlot.GradientSquares), GpuState.GetDouble(StepSlot.LearningRate), GpuState.GetInteger(StepSlot.Step)), Is.EqualTo((25.0, 0.25, 7L)));
        Assert.That((other.GetDouble(StepSlot.GradientSquares), other.GetDouble(StepSlot.LearningRate), other.GetInteger(StepSlot.Step)), Is.EqualTo((50.0, 0.0, 1L)));
        Assert.That((other.GetDouble(far), other.GetDouble(last)), Is.EqualTo((1.5, 2.5)));
        using var elsewhere = new CpuStepState();
        Assert.That(() => Gpu.Run(new AddSquaresCall(elsewhere, x)), Throws.ArgumentException.With.Message.Contains("of another backend"));
    }

    private static void AssertClose(float[] actual, float[] expected, double tolerance)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.That(actual[i], Is.EqualTo(expected[i]).Within(tolerance * Math.Max(1, Math.Abs(expected[i]))), $"[{i}]");
        }
    }

    internal readonly struct Formula : IBinaryOp
    {
        public static float Of(float a, float b) => a / (1 + MathF.Exp(-b)) + MathF.Sqrt(MathF.Abs(b)) * (a > b ? 1 : -1) + MathF.Log(MathF.Abs(a) + 1);

        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a / (V.Constant(1) + V.Exp(-b)) + V.Sqrt(V.Abs(b)) * V.SelectGreater(a, b, V.Constant(1), V.Constant(-1)) + V.Log(V.Abs(a) + V.Constant(1));
    }

    internal readonly struct Activated<TActivation> : IBinaryOp
        where TActivation : struct, IActivation
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => default(TActivation).Value(a);
    }

    /// <summary>A number that says how each comparison went, with constants on either side; not one where exponential or logarithm is none.</summary>
    internal readonly struct Compared : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
        {
            V zero = V.Constant(0), one = V.Constant(1);
            V result = V.SelectGreater(a, zero, V.Constant(1), zero) + V.SelectGreater(zero, a, V.Constant(2), zero) + V.SelectGreater(a, b, V.Constant(4), zero);
            V larger = V.Max(one, a), smaller = V.Min(one, a), first = V.Max(a, b), second = V.Min(a, b);
            result += V.SelectGreater(larger, one, V.Constant(8), zero) + V.SelectGreater(one, smaller, V.Constant(16), zero);
            result += V.SelectGreater(first, b, V.Constant(32), zero) + V.SelectGreater(b, second, V.Constant(64), zero);
            return result + V.Max(V.Exp(a), V.Log(b));
        }
    }
}
