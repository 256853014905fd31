using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Cpu.Rows;

public class DropoutTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void IsPhiloxOfTheElement(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        using StepState state = backend.NewState();
        state.Set(StepSlot.RandomKey, 0x123456789ABCDEFL);
        state.Set(StepSlot.Step, 17L);
        state.Set(StepSlot.MicroBatch, 3L);
        foreach (int n in Lengths.Append(1000))
        {
            using Guarded x = Guarded.Random(Layout.Of(n), type, n), y = Guarded.Random(Layout.Of(n), type, 1);
            double[] expected = Expected(x.ToArray(), 0x123456789ABCDEF, 17, 3, 42, 0.3), old = y.ToArray();
            backend.Dropout(state, x.View, y.View, 0.3, 42, accumulate: true);
            y.AssertEqual(expected.Zip(old, (a, b) => a + b).ToArray(), Tolerance(type), $"accumulated {n}");
            backend.Dropout(state, x.View, y.View, 0.3, 42);
            y.AssertEqual(expected, Tolerance(type), $"{n}");
            backend.Dropout(state, x.View, x.View, 0.3, 42);
            x.AssertEqual(expected, Tolerance(type), $"in place {n}");
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void DoesNotDependOnStrides(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        using StepState state = backend.NewState();
        state.Set(StepSlot.Step, 0L);
        foreach (Layout lx in Strided())
        {
            foreach (Layout ly in Strided())
            {
                using Guarded x = Guarded.Random(lx, type, 1), y = Guarded.Random(ly, type, 2);
                double[] expected = Expected(x.ToArray(), 0, 0, 0, 7, 0.5), old = y.ToArray();
                backend.Dropout(state, x.View, y.View, 0.5, 7, accumulate: true);
                y.AssertEqual(expected.Zip(old, (a, b) => a + b).ToArray(), Tolerance(type), $"{lx} to {ly}");
            }
        }
    }

    [Test]
    public void EveryPartOfTheKeyChangesTheChoice()
    {
        var keys = new HashSet<ulong>();
        for (int i = 0; i < 3; i++)
        {
            for (int j = 0; j < 81; j += 3)
            {
                keys.Add(DropoutRandom.Key((ulong)i, j % 9, j % 27, j));
            }
        }

        Assert.That(keys, Has.Count.EqualTo(81));
    }

    [Test]
    public void KeepsTheShareAskedFor([Values(0, 0.1, 0.5, 0.9)] double rate)
    {
        const int N = 100_000;
        using var backend = new CpuBackend(2);
        using StepState state = backend.NewState();
        using Guarded x = new(Layout.Of(N), DType.Float32);
        backend.Fill(x.View, 1);
        backend.Dropout(state, x.View, x.View, rate, 1);
        var values = new float[N];
        backend.Download(x.View, values.AsSpan());
        Assert.That(values.Count(v => v == 0) / (double)N, Is.EqualTo(rate).Within(0.006));
        Assert.That(values.Where(v => v != 0), Is.All.EqualTo((float)(1 / (1 - rate))));
    }

    [Test]
    public void SameBitsForAnyThreads([Values] Isa isa)
    {
        using Guarded x = Guarded.Random(Layout.Of(300, 101), DType.Float32, 1);
        using var state = new CpuStepState();
        SameBits(isa, () => new Guarded(Layout.Of(300, 101), DType.Float32), (backend, y) => backend.Dropout(state, x.View, y.View, 0.2, 1), "dropout");
    }

    [Test]
    public void WrongArgumentsAreNamed()
    {
        using var backend = new CpuBackend(1);
        using StepState state = backend.NewState();
        using Guarded x = new(Layout.Of(3), DType.Float32), y = new(Layout.Of(4), DType.Float32);
        Assert.That(() => backend.Dropout(state, x.View, y.View, 0.5, 1), Throws.ArgumentException.With.Message.EqualTo("dropout: x is Float32[3], expected Float32[4]"));
        Assert.That(() => backend.Dropout(state, x.View, x.View, 1, 1), Throws.ArgumentException.With.Message.EqualTo("dropout: rate is 1, expected [0, 1)"));
        Assert.That(() => backend.Dropout(state, x.View, x.View, double.NaN, 1), Throws.ArgumentException);
        Assert.That(() => backend.Dropout(null!, x.View, x.View, 0.5, 1), Throws.ArgumentException.With.Message.EqualTo("dropout: state is missing"));
    }

    [Test]
    public void CallsAllocateNothing()
    {
        using var backend = new CpuBackend(2);
        using StepState state = backend.NewState();
        using Guarded x = Guarded.Random(Layout.Of(300, 101), DType.Float32, 1);
        AllocatesNothing(() => backend.Dropout(state, x.View, x.View, 0.2, 1), "dropout");
    }

    private static double[] Expected(double[] x, ulong key, long step, long microBatch, int stream, double rate)
    {
        ulong own = DropoutRandom.Key(key, step, microBatch, stream);
        return x.Select((v, i) =>
        {
            (uint w0, uint w1, uint w2, uint w3) = Philox.Next(own, (ulong)(i / 4), 0);
            uint word = (i % 4) switch { 0 => w0, 1 => w1, 2 => w2, _ => w3 };
            return word >= rate * 4294967296.0 ? v / (1 - rate) : 0;
        }).ToArray();
    }
}
