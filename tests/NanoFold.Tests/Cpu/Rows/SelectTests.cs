using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Cpu.Rows;

public class SelectTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void LargestFirstAndTheSmallerIndexAmongEquals(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int n in Lengths)
        {
            foreach (int k in new[] { 1, 2, 3, 8, 31, 64, 200 }.Where(k => k <= n).Append(n))
            {
                using Guarded x = Guarded.Random(Layout.Of(3, n), type, n), values = new(Layout.Of(3, k), type), indices = new(Layout.Of(3, k), DType.Int32);
                for (int i = 0; i < x.Count; i++)
                {
                    // Few distinct values, so that there are many equals.
                    x[i] = Math.Round(x[i] * 4);
                }

                Check(backend, x, values, indices, $"{k} of {n}");
            }
        }
    }

    [Test]
    public void RisingAndFallingRows([Values] Isa isa)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int sign in new[] { 1, -1 })
        {
            using Guarded x = new(Layout.Of(2, 300), DType.Float32), values = new(Layout.Of(2, 150), DType.Float32), indices = new(Layout.Of(2, 150), DType.Int32);
            for (int i = 0; i < x.Count; i++)
            {
                x[i] = sign * i;
            }

            Check(backend, x, values, indices, $"{sign}");
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void StridedViews(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        using Guarded x = Guarded.Random(Layout.Of(20, 4).Permute(1, 0), type, 1), values = new(Layout.Of(5, 4).Permute(1, 0), type), indices = new(Layout.Of(4, 9).Slice(1, 2, 5, out _), DType.Int32);
        Check(backend, x, values, indices, "strided");
    }

    [Test]
    public void InfinitiesAndNotANumberHaveAPlace([Values] Isa isa)
    {
        using var backend = new CpuBackend(1, isa);
        double[] row = [double.NaN, 1, double.NegativeInfinity, double.PositiveInfinity, double.NaN, -1];
        using Guarded x = Guarded.Of(Layout.Of(1, 6), DType.Float32, row), values = new(Layout.Of(1, 6), DType.Float32), indices = new(Layout.Of(1, 6), DType.Int32);
        backend.TopK(x.View, values.View, indices.View);
        // Not-a-number counts as −∞.
        Assert.That(indices.ToArray(), Is.EqualTo(new double[] { 3, 1, 5, 0, 2, 4 }));
        Assert.That(values.ToArray()[..3], Is.EqualTo(new[] { double.PositiveInfinity, 1, -1 }));
    }

    [Test]
    public void SameBitsForAnyThreads([Values] Isa isa)
    {
        using Guarded x = Guarded.Random(Layout.Of(300, 200), DType.Float32, 1), values = new(Layout.Of(300, 10), DType.Float32);
        SameBits(isa, () => new Guarded(Layout.Of(300, 10), DType.Int32), (backend, indices) => Check(backend, x, values, indices, "large"), "top-k");
    }

    [Test]
    public void WrongShapesAreNamed()
    {
        using var backend = new CpuBackend(1);
        using Guarded x = new(Layout.Of(3, 4), DType.Float32), values = new(Layout.Of(3, 5), DType.Float32), indices = new(Layout.Of(3, 4), DType.Int32);
        Assert.That(() => backend.TopK(x.View, values.View, indices.View), Throws.ArgumentException.With.Message.EqualTo("top-k: values are Float32[3, 5], expected [3, k] with k at most 4"));
        Assert.That(() => backend.TopK(x.View, x.View, values.View), Throws.ArgumentException.With.Message.EqualTo("top-k: indices are Float32[3, 5], expected Int32[3, 4]"));
    }

    [Test]
    public void CallsAllocateNothing()
    {
        using var backend = new CpuBackend(2);
        using Guarded x = Guarded.Random(Layout.Of(300, 200), DType.Float32, 1), values = new(Layout.Of(300, 10), DType.Float32), indices = new(Layout.Of(300, 10), DType.Int32);
        AllocatesNothing(() => backend.TopK(x.View, values.View, indices.View), "top-k");
    }

    private static void Check(CpuBackend backend, Guarded x, Guarded values, Guarded indices, string what)
    {
        int n = x.View.Layout[1], k = values.View.Layout[1];
        double[][] rows = x.ToArray().Chunk(n).ToArray();
        int[][] order = rows.Select(row => Enumerable.Range(0, n).OrderByDescending(j => row[j]).Take(k).ToArray()).ToArray();
        backend.TopK(x.View, values.View, indices.View);
        indices.AssertEqual(order.SelectMany(o => o.Select(j => (double)j)).ToArray(), 0, $"indices, {what}");
        values.AssertEqual(order.SelectMany((o, r) => o.Select(j => rows[r][j])).ToArray(), 0, $"values, {what}");
    }
}
