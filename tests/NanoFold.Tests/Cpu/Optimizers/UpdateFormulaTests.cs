using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Cpu.Optimizers;

/// <summary>An optimizer's formula over vectors of parameters, gradients and slots.</summary>
public sealed class UpdateFormulaTests
{
    private const double Rate = 0.01, Decay = 0.1, Scale = 0.7, A = 1.25, B = 0.5;

    private static readonly AdEMAMixFormula s_three = new(0.9, 0.99, 0.999, 5, 1e-8);

    [Test]
    public void SlotsFactorsAndTheScaleOfGradientsAreWhatTheFormulaGets([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        foreach (int count in new[] { 1, 7, 16, 100, 16400 })
        {
            using var backend = new CpuBackend(1, path.Isa);
            using StepState state = State(backend, Scale);
            using var operands = new Operands(path.Type, count);
            (double[] p, double[] g, double[] m, double[] n, double[] v) = (operands.Values(0), operands.Values(1), operands.Values(2), operands.Values(3), operands.Values(4));
            backend.Update(s_three, operands.Args(state, 3));
            for (int i = 0; i < count; i++)
            {
                double scaled = Scale * g[i];
                m[i] += 0.1 * (scaled - m[i]);
                n[i] += 0.001 * (scaled - n[i]);
                v[i] += 0.01 * ((scaled * scaled) - v[i]);
                p[i] -= Rate * ((((m[i] * A) + (5 * n[i])) / (Math.Sqrt(v[i] * B) + 1e-8)) + (Decay * p[i]));
            }

            foreach ((int operand, double[] expected) in new[] { (0, p), (1, g), (2, m), (3, n), (4, v) })
            {
                RowAssert.Close(operands.Values(operand), expected, path.Tolerance, $"{count}: operand {operand}");
            }

            operands.AssertGuards();
        }
    }

    [Test]
    public void SlotsThatAFormulaDoesNotHaveAreLeftAlone()
    {
        using var backend = new CpuBackend(1);
        using StepState state = State(backend, Scale);
        using var operands = new Operands(DType.Float32, 37);
        double[] p = operands.Values(0), g = operands.Values(1);
        backend.Update(default(SgdFormula), operands.Args(state, 0));

        Assert.That(operands.Values(0), Is.EqualTo(p.Zip(g, (value, gradient) => value - (Rate * ((Scale * gradient) + (Decay * value))))).Within(1e-6));
    }

    [Test]
    public void NothingChangesWhereTheStepIsSkipped()
    {
        using var backend = new CpuBackend(1);
        using StepState state = State(backend, 0);
        using var operands = new Operands(DType.Float32, 37);
        byte[][] before = operands.Bytes;
        backend.Update(s_three, operands.Args(state, 3));

        RowAssert.SameBits(operands.Bytes, before);
    }

    [Test]
    public void ThreadsGiveTheSameBitsAndAllocateNothing()
    {
        byte[][]? first = null;
        foreach (int threads in new[] { 1, 2, 3 })
        {
            using var backend = new CpuBackend(threads);
            using StepState state = State(backend, Scale);
            using var operands = new Operands(DType.Float32, 70001);
            UpdateArgs args = operands.Args(state, 3);
            backend.Update(s_three, args);
            byte[][] bytes = operands.Bytes;
            first ??= bytes;
            RowAssert.SameBits(bytes, first);
            if (threads <= 2)
            {
                RowAssert.AllocatesNothing(() => backend.Update(s_three, args));
            }
        }
    }

    [Test]
    public void NamesWhatDoesNotFit()
    {
        using var backend = new CpuBackend(1);
        using StepState state = State(backend, 1);
        using var operands = new Operands(DType.Float32, 4);
        using var other = new Operands(DType.Float32, 5);
        UpdateArgs args = operands.Args(state, 3);
        Assert.Multiple(() =>
        {
            Assert.That(() => backend.Update(s_three, args with { State = null! }), Throws.ArgumentException.With.Message.EqualTo("update: state is missing"));
            Assert.That(() => backend.Update(s_three, args with { Gradient = other.Args(state, 3).Gradient }), Throws.ArgumentException.With.Message.EqualTo("update: gradient is Float32[5], expected 4 contiguous elements of Float32"));
            Assert.That(() => backend.Update(s_three, args with { Third = default }), Throws.ArgumentException.With.Message.EqualTo("update: third is missing"));
            Assert.That(() => backend.Update(default(SgdFormula), args), Throws.ArgumentException.With.Message.EqualTo("update: has a first slot, which the formula does not use"));
        });
    }

    private static StepState State(Backend backend, double scale)
    {
        StepState state = backend.NewState();
        state.Set(StepSlot.GradientScale, scale);
        state.Set(StepSlot.LearningRate, Rate);
        state.Set(state.Add("a"), A);
        state.Set(state.Add("b"), B);
        return state;
    }

    /// <summary>Parameters, gradients and three slots, the last without a sign.</summary>
    private sealed class Operands(DType type, int count) : IDisposable
    {
        private readonly Operand[] _all =
        [
            .. Enumerable.Range(0, 4).Select(i => new Operand(type, [count], Operand.Random(i + 1, count))),
            new Operand(type, [count], Operand.Random(5, count).Select(Math.Abs)),
        ];

        public byte[][] Bytes => [.. _all.Select(operand => operand.Bytes)];

        public double[] Values(int operand) => _all[operand].Values;

        public UpdateArgs Args(StepState state, int slots) => new(
            state, _all[0].View, _all[1].View, slots > 0 ? _all[2].View : default, slots > 1 ? _all[3].View : default, slots > 2 ? _all[4].View : default)
        {
            Decay = Decay, FactorA = state.Add("a"), FactorB = state.Add("b"),
        };

        public void AssertGuards() => Array.ForEach(_all, operand => operand.AssertGuards());

        public void Dispose() => Array.ForEach(_all, operand => operand.Dispose());
    }
}
