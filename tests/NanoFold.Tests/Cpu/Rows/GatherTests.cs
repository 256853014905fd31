using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Cpu.Rows;

public class GatherTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void RowsByIdAndTheirGradient(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int c in Lengths)
        {
            const int Rows = 9, Table = 5;
            double[] ids = [4, 0, -1, 2, 2, 4, 4, -1, 3];
            using Guarded table = Guarded.Random(Layout.Of(Table, c), type, 1), id = Guarded.Of(Layout.Of(Rows), DType.Int32, ids), y = Guarded.Random(Layout.Of(Rows, c), type, 2);
            double[] before = table.ToArray(), old = y.ToArray();
            double[] expected = Enumerable.Range(0, Rows * c).Select(i => ids[i / c] < 0 ? 0 : before[(int)ids[i / c] * c + i % c]).ToArray();
            backend.Gather(table.View, id.View, y.View, accumulate: true);
            y.AssertEqual(expected.Zip(old, (a, b) => a + b).ToArray(), Tolerance(type), $"accumulated {c}");
            backend.Gather(table.View, id.View, y.View);
            y.AssertEqual(expected, 0, $"{c}");

            backend.ScatterAdd(y.View, id.View, table.View);
            for (int i = 0; i < Rows * c; i++)
            {
                if (ids[i / c] >= 0)
                {
                    before[(int)ids[i / c] * c + i % c] += expected[i];
                }
            }

            table.AssertEqual(before, 4 * Tolerance(type), $"scattered {c}");
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void StridedViews(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        double[] ids = [3, 1, -1, 3];
        Layout lt = Layout.Of(7, 5).Permute(1, 0), ly = Layout.Of(4, 12).Slice(1, 2, 7, out _), inner = Layout.Of(7, 4).Permute(1, 0);
        foreach (Layout layout in new[] { ly, inner })
        {
            using Guarded table = Guarded.Random(lt, type, 1), id = Guarded.Of(Layout.Of(4), DType.Int32, ids), y = Guarded.Random(layout, type, 2);
            double[] t = table.ToArray();
            double[] expected = Enumerable.Range(0, 28).Select(i => ids[i / 7] < 0 ? 0 : t[(int)ids[i / 7] * 7 + i % 7]).ToArray();
            backend.Gather(table.View, id.View, y.View);
            y.AssertEqual(expected, 0, "gather");
            backend.ScatterAdd(y.View, id.View, table.View);
            for (int j = 0; j < 7; j++)
            {
                t[21 + j] *= 3;
                t[7 + j] *= 2;
            }

            table.AssertEqual(t, 4 * Tolerance(type), "scatter-add");
        }
    }

    [Test]
    public void RowsOfHigherRankAreTakenInOrder()
    {
        using var backend = new CpuBackend(1);
        using Guarded table = Guarded.Random(Layout.Of(4, 3), DType.Float32, 1), id = Guarded.Of(Layout.Of(2, 2), DType.Int32, 3, 2, 1, 0), y = new(Layout.Of(2, 2, 3), DType.Float32);
        backend.Gather(table.View, id.View, y.View);
        double[] t = table.ToArray();
        y.AssertEqual([.. t[9..], .. t[6..9], .. t[3..6], .. t[..3]], 0, "gather");
    }

    [Test]
    public void SameBitsForAnyThreads([Values] Isa isa)
    {
        const int Rows = 700, C = 193;
        using Guarded x = Guarded.Random(Layout.Of(Rows, C), DType.Float32, 1), id = new(Layout.Of(Rows), DType.Int32);
        for (int i = 0; i < Rows; i++)
        {
            id[i] = i * 7 % 12 - 1;
        }

        SameBits(isa, () => Guarded.Random(Layout.Of(11, C), DType.Float32, 2), (backend, table) => backend.ScatterAdd(x.View, id.View, table.View), "scatter-add");
        SameBits(isa, () => new Guarded(Layout.Of(Rows, C), DType.Float32), (backend, y) => backend.Gather(x.View, id.View, y.View), "gather");
    }

    [Test]
    public void IdsOutsideAreNamedAndNothingIsWritten([Values(1, 3)] int threads)
    {
        using var backend = new CpuBackend(threads);
        using Guarded table = new(Layout.Of(5, 3), DType.Float32), y = new(Layout.Of(3, 3), DType.Float32);
        foreach (int bad in new[] { 5, -2, int.MinValue, int.MaxValue })
        {
            using Guarded id = Guarded.Of(Layout.Of(3), DType.Int32, 0, bad, 1);
            double[] before = table.ToArray();
            Assert.That(() => backend.Gather(table.View, id.View, y.View), Throws.ArgumentException.With.Message.EqualTo($"gather: id {bad} at 1 is outside [0, 5)"));
            Assert.That(() => backend.ScatterAdd(y.View, id.View, table.View), Throws.ArgumentException.With.Message.EqualTo($"scatter-add: id {bad} at 1 is outside [0, 5)"));
            Assert.That(table.ToArray(), Is.EqualTo(before));
        }
    }

    [Test]
    public void WrongShapesAreNamed()
    {
        using var backend = new CpuBackend(1);
        using Guarded table = new(Layout.Of(5, 3), DType.Float32), y = new(Layout.Of(4, 3), DType.Float32), id = new(Layout.Of(3), DType.Int32), narrow = new(Layout.Of(3, 2), DType.Float32);
        Assert.That(() => backend.Gather(table.View, id.View, y.View), Throws.ArgumentException.With.Message.EqualTo("gather: ids is Int32[3], expected 4 contiguous Int32"));
        Assert.That(() => backend.ScatterAdd(narrow.View, id.View, table.View), Throws.ArgumentException.With.Message.StartsWith("scatter-add: x is Float32[3, 2], expected rows of 3"));
    }

    [Test]
    public void CallsAllocateNothing()
    {
        using var backend = new CpuBackend(2);
        using Guarded table = Guarded.Random(Layout.Of(50, 129), DType.Float32, 1), id = new(Layout.Of(300), DType.Int32), y = new(Layout.Of(300, 129), DType.Float32);
        backend.Fill(id.View, 3);
        AllocatesNothing(() => backend.Gather(table.View, id.View, y.View), "gather");
        AllocatesNothing(() => backend.ScatterAdd(y.View, id.View, table.View), "scatter-add");
    }
}
