using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Cpu.Pointwise;

public class MapTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void MapOfEveryLength(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int n in Lengths)
        {
            using Guarded x = Guarded.Random(Layout.Of(n), type, n), y = Guarded.Random(Layout.Of(n), type, n + 1);
            double[] expected = x.ToArray().Select(Silu.Of).ToArray();
            double[] sum = expected.Zip(y.ToArray(), (a, b) => a + b).ToArray();
            backend.Map(default(Silu), x.View, y.View, accumulate: true);
            y.AssertEqual(sum, Tolerance(type), $"accumulate {n}");
            backend.Map(default(Silu), x.View, y.View);
            y.AssertEqual(expected, Tolerance(type), $"map {n}");
            backend.Map(default(Silu), x.View, x.View);
            x.AssertEqual(expected, Tolerance(type), $"in place {n}");
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void AValueDoesNotDependOnItsPosition(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        using Guarded x = Guarded.Random(Layout.Of(80), type, 3), y = new(Layout.Of(80), type);
        backend.Map(default(Silu), x.View, y.View);
        double[] whole = y.ToArray();
        for (int start = 0; start < 20; start++)
        {
            for (int n = 1; n <= 40; n++)
            {
                Layout part = Layout.Of(80).Slice(0, start, n, out long offset);
                backend.Map(default(Silu), x.View.With(part, offset), y.View.With(Layout.Of(n)));
                Assert.That(y.ToArray()[..n].SequenceEqual(whole[start..(start + n)]), $"{n} from {start}");
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void AnyStrides(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (Layout lx in Strided())
        {
            foreach (Layout ly in Strided())
            {
                foreach (bool accumulate in new[] { false, true })
                {
                    using Guarded x = Guarded.Random(lx, type, 1), y = Guarded.Random(ly, type, 2);
                    double[] expected = x.ToArray().Zip(y.ToArray(), (a, b) => Silu.Of(a) + (accumulate ? b : 0)).ToArray();
                    backend.Map(default(Silu), x.View, y.View, accumulate);
                    y.AssertEqual(expected, Tolerance(type), $"{lx} to {ly}");
                }
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void ZipBroadcasts(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        var op = new Mix(0.75);
        foreach (int n in new[] { 1, 3, 8, 17, 64, 129 })
        {
            Layout target = Layout.Of(2, 5, n);
            Layout[] shapes = [target, Layout.Of(n), Layout.Of(5, n), Layout.Of(5, 1), Layout.Of(2, 1, n), Layout.Of(2, 1, 1), Layout.Of(1), Layout.Of(), Layout.Of(1, 5, 1)];
            foreach (Layout la in shapes)
            {
                foreach (Layout lb in shapes)
                {
                    foreach (bool accumulate in new[] { false, true })
                    {
                        using Guarded a = Guarded.Random(la, type, 1), b = Guarded.Random(lb, type, 2), y = Guarded.Random(target, type, 3);
                        double[] va = a.As(target), vb = b.As(target), vy = y.ToArray();
                        double[] expected = va.Select((v, i) => op.Of(v, vb[i]) + (accumulate ? vy[i] : 0)).ToArray();
                        backend.Zip(op, a.View, b.View, y.View, accumulate);
                        y.AssertEqual(expected, Tolerance(type), $"{la}, {lb} to {target}");
                    }
                }
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void ZipOfThree(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int n in Lengths)
        {
            Layout target = Layout.Of(3, n);
            using Guarded a = Guarded.Random(target, type, 1), b = Guarded.Random(Layout.Of(n), type, 2), c = Guarded.Random(Layout.Of(3, 1), type, 3), y = new(target, type);
            double[] vb = b.As(target), vc = c.As(target);
            double[] expected = a.ToArray().Select((v, i) => Lerp.Of(v, vb[i], vc[i])).ToArray();
            backend.Zip(default(Lerp), a.View, b.View, c.View, y.View);
            y.AssertEqual(expected, Tolerance(type), $"{n}");
            backend.Zip(default(Lerp), a.View, b.View, c.View, a.View);
            a.AssertEqual(expected, Tolerance(type), $"in place {n}");
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void ZipOfStridedOperands(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (Layout la in Strided())
        {
            foreach (Layout ly in Strided())
            {
                using Guarded a = Guarded.Random(la, type, 1), b = Guarded.Random(ly, type, 2), c = Guarded.Random(Layout.Of(4, 1), type, 3), y = Guarded.Random(ly, type, 4);
                double[] vb = b.ToArray(), vc = c.As(ly), vy = y.ToArray();
                double[] expected = a.ToArray().Select((v, i) => Lerp.Of(v, vb[i], vc[i]) + vy[i]).ToArray();
                backend.Zip(default(Lerp), a.View, b.View, c.View, y.View, accumulate: true);
                y.AssertEqual(expected, Tolerance(type), $"{la} to {ly}");
            }
        }
    }

    [Test]
    public void LargeInputsGiveTheSameBitsForAnyThreads([Values] Isa isa)
    {
        foreach (Layout layout in new[] { Layout.Of(70_001), Layout.Of(300, 129), Layout.Of(3, 17_000), Layout.Of(129, 301).Permute(1, 0) })
        {
            using Guarded x = Guarded.Random(layout, DType.Float32, 5);
            double[] expected = x.ToArray().Select(Silu.Of).ToArray();
            SameBits(isa, () => new Guarded(layout, DType.Float32), (backend, y) =>
            {
                backend.Map(default(Silu), x.View, y.View);
                y.AssertEqual(expected, 1e-6, $"{layout}");
            }, $"{layout}");
        }
    }

    [Test]
    public void CallsAllocateNothing()
    {
        using var backend = new CpuBackend(2);
        using Guarded x = Guarded.Random(Layout.Of(300, 129), DType.Float32, 5), row = Guarded.Random(Layout.Of(129), DType.Float32, 5), y = new(Layout.Of(300, 129), DType.Float32);
        AllocatesNothing(() => backend.Map(default(Silu), x.View, y.View), "map");
        AllocatesNothing(() => backend.Zip(new Mix(2), x.View, row.View, y.View), "zip");
        AllocatesNothing(() => backend.Zip(default(Lerp), x.View, row.View, x.View, y.View), "zip of three");
    }

    [Test]
    public void WrongShapesAreNamed()
    {
        using var backend = new CpuBackend(1);
        using Guarded x = new(Layout.Of(3, 4), DType.Float32), y = new(Layout.Of(3, 5), DType.Float32), d = new(Layout.Of(3, 5), DType.Float64), ids = new(Layout.Of(3, 5), DType.Int32);
        View none = default, wide = y.View.With(Layout.Of(3, 500)), broadcast = x.View.With(Layout.Of(1, 4).BroadcastTo(Layout.Of(3, 4)));
        Assert.Multiple(() =>
        {
            Assert.That(() => backend.Map(default(Silu), x.View, y.View), Throws.ArgumentException.With.Message.EqualTo("map: a is Float32[3, 4], expected a shape that broadcasts to Float32[3, 5]"));
            Assert.That(() => backend.Map(default(Silu), d.View, y.View), Throws.ArgumentException.With.Message.Contains("a is Float64[3, 5], expected Float32"));
            Assert.That(() => backend.Map(default(Silu), ids.View, ids.View), Throws.ArgumentException.With.Message.Contains("y is Int32[3, 5]"));
            Assert.That(() => backend.Map(default(Silu), none, y.View), Throws.ArgumentException.With.Message.EqualTo("map: a is missing"));
            Assert.That(() => backend.Map(default(Silu), y.View, wide), Throws.ArgumentException.With.Message.Contains("ends at element"));
            Assert.That(() => backend.Map(default(Silu), x.View, broadcast), Throws.ArgumentException.With.Message.Contains("cannot be written"));
            Assert.That(() => backend.Zip(new Mix(1), y.View, x.View, y.View), Throws.ArgumentException.With.Message.StartsWith("zip: b is"));
            Assert.That(() => backend.Zip(default(Lerp), y.View, y.View, x.View, y.View), Throws.ArgumentException.With.Message.StartsWith("zip: c is"));
        });
    }
}
