using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Tests.Cpu.Reduce;

public class SoftmaxTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void RowsOfEveryLength(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int n in Lengths)
        {
            using Guarded x = Guarded.Random(Layout.Of(3, n), type, n), y = new(Layout.Of(3, n), type);
            double[] expected = Reference(x.ToArray(), n, 1.7, (_, _) => true);
            backend.Softmax(x.View, y.View, 1.7, default);
            y.AssertEqual(expected, Tolerance(type), $"{n}");
            backend.Softmax(x.View, x.View, 1.7, default);
            x.AssertEqual(expected, Tolerance(type), $"in place {n}");
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void Masks(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach ((int t, int s) in new[] { (1, 1), (7, 7), (33, 33), (5, 19), (1, 40), (6, 4) })
        {
            foreach (int window in new[] { 0, 1, 3, 100 })
            {
                foreach (int sinks in new[] { 0, 2, 50 })
                {
                    foreach (bool documents in new[] { false, true })
                    {
                        const int B = 2, H = 3;
                        Layout layout = Layout.Of(B, H, t, s);
                        using Guarded x = Guarded.Random(layout, type, 1), y = new(layout, type), ids = new(Layout.Of(B, s), DType.Int32);
                        for (int i = 0; i < ids.Count; i++)
                        {
                            ids[i] = i / 5;
                        }

                        double[] expected = Reference(x.ToArray(), s, 0.5, (row, j) =>
                        {
                            int p = row % t - t + s, batch = row / (H * t);
                            return j <= p && (window == 0 || j > p - window || j < sinks) && (!documents || (p >= 0 && ids[batch * s + j] == ids[batch * s + p]));
                        });
                        var visible = new Visible { Kind = VisibleKind.Causal, Window = window, Sinks = sinks, Documents = documents ? ids.View : default };
                        backend.Softmax(x.View, y.View, 0.5, visible);
                        y.AssertEqual(expected, Tolerance(type), $"{t} × {s}, window {window}, sinks {sinks}, documents {documents}");
                    }
                }
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void LargeAndInfiniteScores(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        const double Minus = double.NegativeInfinity;
        double[] values =
        [
            1e4, -1e4, 1e4, 0, 9999,
            Minus, 2, Minus, 2, Minus,
            Minus, Minus, Minus, Minus, Minus,
            -3e38, -3e38, -3e38, -3e38, -3e38,
        ];
        using Guarded x = Guarded.Of(Layout.Of(4, 5), type, values), y = new(Layout.Of(4, 5), type);
        double e = Math.Exp(-1), z = 2 + e;
        backend.Softmax(x.View, y.View, 1, default);
        y.AssertEqual([1 / z, 0, 1 / z, 0, e / z, 0, 0.5, 0, 0.5, 0, 0, 0, 0, 0, 0, 0.2, 0.2, 0.2, 0.2, 0.2], 1e-6, "scores");

        // A negative factor turns the order round.
        using Guarded negative = Guarded.Of(Layout.Of(1, 2), type, 0, 1000), result = new(Layout.Of(1, 2), type);
        backend.Softmax(negative.View, result.View, -1, default);
        result.AssertEqual([1, 0], 1e-6, "negative factor");
    }

    [Test]
    public void NotANumberIsPassedOn([Values] Isa isa)
    {
        using var backend = new CpuBackend(1, isa);
        for (int at = 0; at < 37; at++)
        {
            using Guarded x = Guarded.Random(Layout.Of(1, 37), DType.Float32, 1), y = new(Layout.Of(1, 37), DType.Float32);
            x[at] = double.NaN;
            backend.Softmax(x.View, y.View, 1, default);
            Assert.That(y.ToArray(), Is.All.NaN, $"at {at}");
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void StridedViews(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (Layout lx in Strided())
        {
            foreach (Layout ly in Strided())
            {
                using Guarded x = Guarded.Random(lx, type, 1), y = new(ly, type), dy = Guarded.Random(lx, type, 2), dx = Guarded.Random(ly, type, 3);
                double[] expected = Reference(x.ToArray(), 5, 1, (row, j) => j <= row % 4 + 1);
                backend.Softmax(x.View, y.View, 1, Visible.Causal);
                y.AssertEqual(expected, Tolerance(type), $"{lx} to {ly}");
                double[] added = Gradient(y.ToArray(), dy.ToArray(), 5, 2).Zip(dx.ToArray(), (a, b) => a + b).ToArray();
                backend.SoftmaxBackward(y.View, dy.View, dx.View, 2, accumulate: true);
                dx.AssertEqual(added, Tolerance(type), $"backward, {lx} to {ly}");
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void BackwardOfEveryLength(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int n in Lengths)
        {
            using Guarded y = Guarded.Random(Layout.Of(3, n), type, n), dy = Guarded.Random(Layout.Of(3, n), type, 2), dx = new(Layout.Of(3, n), type);
            for (int i = 0; i < y.Count; i++)
            {
                y[i] = Math.Abs(y[i]) / n;
            }

            double[] expected = Gradient(y.ToArray(), dy.ToArray(), n, 0.3);
            backend.SoftmaxBackward(y.View, dy.View, dx.View, 0.3);
            dx.AssertEqual(expected, Tolerance(type), $"{n}");
            backend.SoftmaxBackward(y.View, dy.View, dy.View, 0.3);
            dy.AssertEqual(expected, Tolerance(type), $"in place {n}");
        }
    }

    [Test]
    public void SameBitsForAnyThreads([Values] Isa isa)
    {
        using Guarded x = Guarded.Random(Layout.Of(2, 3, 77, 77), DType.Float32, 1);
        SameBits(isa, () => new Guarded(Layout.Of(2, 3, 77, 77), DType.Float32), (backend, y) => backend.Softmax(x.View, y.View, 1, Visible.Causal), "softmax");
        SameBits(isa, () => new Guarded(Layout.Of(2, 3, 77, 77), DType.Float32), (backend, dx) => backend.SoftmaxBackward(x.View, x.View, dx.View, 1), "backward");
    }

    [Test]
    public void WrongShapesAreNamed()
    {
        using var backend = new CpuBackend(1);
        using Guarded x = new(Layout.Of(2, 3, 4), DType.Float32), y = new(Layout.Of(2, 4, 3), DType.Float32), ids = new(Layout.Of(2, 3), DType.Int32);
        Assert.That(() => backend.Softmax(x.View, y.View, 1, default), Throws.ArgumentException.With.Message.EqualTo("softmax: x is Float32[2, 3, 4], expected Float32[2, 4, 3]"));
        Assert.That(() => backend.Softmax(x.View, x.View, 1, new Visible { Kind = VisibleKind.Causal, Documents = ids.View }), Throws.ArgumentException.With.Message.EqualTo("softmax: documents is Int32[2, 3], expected 8 contiguous Int32"));
        Assert.That(() => backend.SoftmaxBackward(x.View, y.View, x.View, 1), Throws.ArgumentException.With.Message.StartsWith("softmax backward: dy is"));
    }

    [Test]
    public void CallsAllocateNothing()
    {
        using var backend = new CpuBackend(2);
        using Guarded x = Guarded.Random(Layout.Of(2, 3, 77, 77), DType.Float32, 1), y = new(Layout.Of(2, 3, 77, 77), DType.Float32);
        AllocatesNothing(() => backend.Softmax(x.View, y.View, 1, new Visible { Kind = VisibleKind.Causal, Window = 9 }), "softmax");
        AllocatesNothing(() => backend.SoftmaxBackward(y.View, x.View, x.View, 1), "backward");
    }

    private static double[] Reference(double[] x, int n, double scale, Func<int, int, bool> visible)
    {
        var y = new double[x.Length];
        for (int row = 0; row < x.Length / n; row++)
        {
            int[] seen = Enumerable.Range(0, n).Where(j => visible(row, j)).ToArray();
            double largest = seen.Select(j => scale * x[row * n + j]).DefaultIfEmpty().Max();
            double sum = seen.Sum(j => Math.Exp(scale * x[row * n + j] - largest));
            foreach (int j in seen)
            {
                y[row * n + j] = Math.Exp(scale * x[row * n + j] - largest) / sum;
            }
        }

        return y;
    }

    private static double[] Gradient(double[] y, double[] dy, int n, double scale)
    {
        var dx = new double[y.Length];
        for (int row = 0; row < y.Length / n; row++)
        {
            double dot = Enumerable.Range(row * n, n).Sum(i => y[i] * dy[i]);
            for (int i = row * n; i < (row + 1) * n; i++)
            {
                dx[i] = scale * y[i] * (dy[i] - dot);
            }
        }

        return dx;
    }
}
