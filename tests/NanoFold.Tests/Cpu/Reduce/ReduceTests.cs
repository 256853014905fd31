using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Cpu.Reduce;

public class ReduceTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void RowsColumnsAndTotalsOfEveryLength(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int n in Lengths)
        {
            foreach (int rows in new[] { 1, 2, 3, 4, 7, 70 })
            {
                foreach (Layout target in new[] { Layout.Of(n), Layout.Of(rows, 1), Layout.Of(1), Layout.Of(), Layout.Of(1, n), Layout.Of(rows, n) })
                {
                    Check(backend, Layout.Of(rows, n), target, type);
                }
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void AnyStridesAndAnyDimensions(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (Layout lx in Strided())
        {
            for (int mask = 0; mask < 8; mask++)
            {
                Check(backend, lx, Layout.Of((mask & 1) != 0 ? 1 : 3, (mask & 2) != 0 ? 1 : 4, (mask & 4) != 0 ? 1 : 5), type);
            }

            Check(backend, lx, Layout.Of(5), type);
            Check(backend, lx, Layout.Of(4, 5), type);
            Check(backend, lx, Layout.Of(4, 1), type);
            Check(backend, lx, Layout.Of(5, 4, 3).Permute(2, 1, 0).Slice(1, 0, 1, out _), type);
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void LongSumsAreCutAndStayAccurate(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        Check(backend, Layout.Of(70_003), Layout.Of(), type);
        Check(backend, Layout.Of(3, 33_001), Layout.Of(3, 1), type);
        Check(backend, Layout.Of(9_001, 9), Layout.Of(9), type);
        Check(backend, Layout.Of(701, 300), Layout.Of(300), type);
        Check(backend, Layout.Of(2, 701, 31), Layout.Of(2, 1, 31), type);
        Check(backend, Layout.Of(31, 2, 701).Permute(2, 1, 0), Layout.Of(2, 1), type);
        Check(backend, Layout.Of(40, 50, 17), Layout.Of(50, 1), type);
    }

    [Test]
    public void AMillionEqualNumbersSumWithoutDrift([Values] Isa isa)
    {
        using var backend = new CpuBackend(1, isa);
        using Guarded x = new(Layout.Of(1000, 1000), DType.Float32), total = new(Layout.Of(), DType.Float32), columns = new(Layout.Of(1000), DType.Float32);
        backend.Fill(x.View, 0.1);
        backend.Sum(x.View, total.View);
        backend.Sum(x.View, columns.View);
        Assert.That(total[0], Is.EqualTo(1e6 * 0.1f).Within(1e-7).Percent.Or.EqualTo((float)(1e6 * 0.1f)).Within(0.01));
        Assert.That(columns.ToArray(), Is.All.EqualTo(1e3 * 0.1f).Within(1e-5));
    }

    [TestCaseSource(nameof(Paths))]
    public void SumsOfOneAreTheValuesAndNoneIsMinusZero(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (bool accumulate in new[] { false, true })
        {
            using Guarded x = Guarded.Random(Layout.Of(9, 21), type, 1), y = Guarded.Random(Layout.Of(9, 17), type, 2);
            backend.Fill(x.View.With(Layout.Of(21)), -0.0);
            View part = x.View.With(x.View.Layout.Slice(1, 2, 17, out long offset), offset);
            double[] values = [.. Enumerable.Range(0, 9 * 17).Select(i => x[(i / 17 * 21) + 2 + (i % 17)])], before = y.ToArray();
            backend.Sum(part, y.View, accumulate);
            double[] expected = [.. values.Select((value, i) => 0 + value + (accumulate ? before[i] : 0))];
            Assert.That(y.ToArray().Select(BitConverter.DoubleToInt64Bits), Is.EqualTo(expected.Select(value => BitConverter.DoubleToInt64Bits(type == DType.Float32 ? (float)value : value))));
        }
    }

    [Test]
    public void SameBitsForAnyThreads([Values] Isa isa)
    {
        using Guarded x = Guarded.Random(Layout.Of(701, 301), DType.Float32, 1);
        foreach (Layout target in new[] { Layout.Of(301), Layout.Of(701, 1), Layout.Of() })
        {
            SameBits(isa, () => new Guarded(target, DType.Float32), (backend, y) => backend.Sum(x.View, y.View), $"{target}");
        }
    }

    [Test]
    public void CallsAllocateNothing()
    {
        using var backend = new CpuBackend(2);
        using Guarded x = Guarded.Random(Layout.Of(701, 301), DType.Float32, 1), columns = new(Layout.Of(301), DType.Float32), rows = new(Layout.Of(701, 1), DType.Float32);
        AllocatesNothing(() => backend.Sum(x.View, columns.View), "columns");
        AllocatesNothing(() => backend.Sum(x.View, rows.View), "rows");
        AllocatesNothing(() => backend.Sum(x.View, rows.View.With(Layout.Of())), "total");
    }

    [Test]
    public void WrongShapesAreNamed()
    {
        using var backend = new CpuBackend(1);
        using Guarded x = new(Layout.Of(3, 4), DType.Float32), y = new(Layout.Of(3), DType.Float32);
        Assert.That(() => backend.Sum(x.View, y.View), Throws.ArgumentException.With.Message.EqualTo("sum: y is Float32[3], expected a shape that broadcasts to Float32[3, 4]"));
    }

    private static void Check(CpuBackend backend, Layout layout, Layout target, DType type)
    {
        using Guarded x = Guarded.Random(layout, type, 7), y = Guarded.Random(target, type, 8), once = new(target, type);
        double[] expected = new double[y.Count], absolute = new double[y.Count];
        long[] at = Guarded.Offsets(Layout.Of(target.ToShape()).BroadcastTo(layout));
        double[] values = x.ToArray();
        for (int i = 0; i < values.Length; i++)
        {
            expected[at[i]] += values[i];
            absolute[at[i]] += Math.Abs(values[i]);
        }

        // The error is relative to the sum of the magnitudes.
        double tolerance = Tolerance(type) / 2 * absolute.Max();
        double[] added = y.ToArray().Zip(expected, (a, b) => a + b).ToArray();
        backend.Sum(x.View, once.View);
        once.AssertEqual(expected, tolerance, $"{layout} to {target}");
        backend.Sum(x.View, y.View, accumulate: true);
        y.AssertEqual(added, tolerance, $"{layout} added to {target}");
    }
}
