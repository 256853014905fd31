using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Cpu.Pointwise;

public class CopyTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void AnyStrides(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (Layout lx in Strided())
        {
            foreach (Layout ly in Strided())
            {
                using Guarded x = Guarded.Random(lx, type, 1), y = Guarded.Random(ly, type, 2);
                double[] values = x.ToArray(), sum = values.Zip(y.ToArray(), (a, b) => a + b).ToArray();
                backend.Copy(x.View, y.View, accumulate: true);
                y.AssertEqual(sum, Tolerance(type), $"{lx} added to {ly}");
                backend.Copy(x.View, y.View);
                y.AssertEqual(values, 0, $"{lx} to {ly}");
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void Transposes(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach ((int m, int n) in new[] { (1, 7), (8, 8), (16, 16), (33, 17), (64, 96), (129, 3), (5, 257) })
        {
            using Guarded x = Guarded.Random(Layout.Of(2, n, m).Permute(0, 2, 1), type, 1), y = Guarded.Random(Layout.Of(2, m, n), type, 2);
            double[] values = x.ToArray(), sum = values.Zip(y.ToArray(), (a, b) => a + b).ToArray();
            backend.Copy(x.View, y.View, accumulate: true);
            y.AssertEqual(sum, Tolerance(type), $"{m} × {n} added");
            backend.Copy(x.View, y.View);
            y.AssertEqual(values, 0, $"{m} × {n}");
        }
    }

    [Test]
    public void HeadsChangePlaces([Values] Isa isa, [Values(4, 8, 13, 64)] int headDim)
    {
        // [B, T, H, D] to [B, H, T, D], the permutation of attention.
        Layout layout = Layout.Of(2, 5, 3, headDim).Permute(0, 2, 1, 3);
        using var backend = new CpuBackend(1, isa);
        using Guarded x = Guarded.Random(layout, DType.Float32, 1), y = new(Layout.Of(2, 3, 5, headDim), DType.Float32);
        backend.Copy(x.View, y.View);
        y.AssertEqual(x.ToArray(), 0, "heads");
    }

    [Test]
    public void IntegersAreMovedBitByBit([Values] Isa isa)
    {
        using var backend = new CpuBackend(1, isa);
        // As floats these are signalling NaNs, subnormals, infinities.
        int[] values = [0x7F800001, -1, 1, int.MinValue, int.MaxValue, 0x7F800000, 0, 0x7FA00000, unchecked((int)0xFF800001), 123456789, 2, 3];
        using Guarded x = new(Layout.Of(3, 4), DType.Int32), y = new(Layout.Of(3, 4), DType.Int32), z = new(Layout.Of(4, 3), DType.Int32);
        backend.Upload<int>(values, x.View);
        backend.Copy(x.View, y.View);
        backend.Copy(x.View.With(x.View.Layout.Permute(1, 0)), z.View);
        backend.Copy(z.View.With(z.View.Layout.Permute(1, 0)), x.View);
        y.AssertEqual(values.Select(v => (double)v).ToArray(), 0, "copy");
        x.AssertEqual(values.Select(v => (double)v).ToArray(), 0, "through a transpose and back");
    }

    [TestCaseSource(nameof(Paths))]
    public void ConcatenatesAndBroadcasts(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        using Guarded a = Guarded.Random(Layout.Of(4, 3), type, 1), b = Guarded.Random(Layout.Of(4, 6), type, 2), y = new(Layout.Of(4, 9), type), row = Guarded.Random(Layout.Of(9), type, 3);
        backend.Copy(a.View, y.View.With(y.View.Layout.Slice(1, 0, 3, out long first), first));
        backend.Copy(b.View, y.View.With(y.View.Layout.Slice(1, 3, 6, out long second), second));
        double[] va = a.ToArray(), vb = b.ToArray();
        y.AssertEqual(Enumerable.Range(0, 36).Select(i => i % 9 < 3 ? va[i / 9 * 3 + i % 9] : vb[i / 9 * 6 + i % 9 - 3]).ToArray(), 0, "concatenation");
        backend.Copy(row.View, y.View);
        y.AssertEqual(row.As(y.View.Layout), 0, "broadcast");
    }

    [TestCaseSource(nameof(Paths))]
    public void FillsAnyStrides(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (Layout layout in Strided().Concat(Lengths.Select(n => Layout.Of(n))).Append(Layout.Of()))
        {
            using Guarded y = new(layout, type), ids = new(layout, DType.Int32);
            backend.Fill(y.View, 1.5);
            y.AssertEqual(Enumerable.Repeat(1.5, y.Count).ToArray(), 0, $"{layout}");
            backend.Fill(ids.View, -1);
            ids.AssertEqual(Enumerable.Repeat(-1.0, y.Count).ToArray(), 0, $"{layout} of −1");
            backend.Fill(ids.View, 0x7F800001);
            ids.AssertEqual(Enumerable.Repeat((double)0x7F800001, y.Count).ToArray(), 0, $"{layout} of a signalling pattern");
        }
    }

    [Test]
    public void LargeCopiesGiveTheSameBitsForAnyThreads([Values] Isa isa)
    {
        Layout layout = Layout.Of(4, 33, 5, 64);
        using Guarded x = Guarded.Random(layout.Permute(0, 2, 1, 3), DType.Float32, 1), transposed = Guarded.Random(layout.Permute(0, 2, 3, 1), DType.Float32, 1);
        SameBits(isa, () => new Guarded(Layout.Of(4, 5, 33, 64), DType.Float32), (backend, y) =>
        {
            backend.Copy(x.View, y.View);
            y.AssertEqual(x.ToArray(), 0, "heads");
        }, "heads");
        SameBits(isa, () => new Guarded(Layout.Of(4, 5, 64, 33), DType.Float32), (backend, y) =>
        {
            backend.Copy(transposed.View, y.View);
            y.AssertEqual(transposed.ToArray(), 0, "transposed");
        }, "transposed");
    }

    [Test]
    public void TransfersCheckTypeCountAndStrides()
    {
        using var backend = new CpuBackend(1);
        using Guarded x = new(Layout.Of(6), DType.Float32), strided = new(Layout.Of(3, 4).Permute(1, 0), DType.Float32);
        backend.Upload<float>([1, 2, 3, 4, 5, 6], x.View);
        var back = new float[6];
        backend.Download(x.View, back.AsSpan());
        Assert.That(back, Is.EqualTo(new float[] { 1, 2, 3, 4, 5, 6 }));
        x.AssertGuards("upload");
        Assert.That(() => backend.Upload<float>(new float[5], x.View), Throws.ArgumentException.With.Message.Contains("upload: 5 of Single with Float32[6]"));
        Assert.That(() => backend.Upload<double>(new double[6], x.View), Throws.ArgumentException.With.Message.Contains("Double"));
        Assert.That(() => backend.Download(strided.View, new float[12].AsSpan()), Throws.ArgumentException.With.Message.Contains("contiguous"));
    }

    [Test]
    public void CallsAllocateNothing()
    {
        using var backend = new CpuBackend(2);
        using Guarded x = Guarded.Random(Layout.Of(300, 129), DType.Float32, 5), y = new(Layout.Of(129, 300), DType.Float32);
        AllocatesNothing(() => backend.Copy(x.View.With(x.View.Layout.Permute(1, 0)), y.View), "transpose");
        AllocatesNothing(() => backend.Copy(x.View.With(Layout.Of(300 * 129)), y.View.With(Layout.Of(300 * 129))), "copy");
        AllocatesNothing(() => backend.Fill(y.View, 1), "fill");
    }

    [Test]
    public void AccumulatingIntegersIsRefused()
    {
        using var backend = new CpuBackend(1);
        using Guarded x = new(Layout.Of(3), DType.Int32), y = new(Layout.Of(3), DType.Int32);
        Assert.That(() => backend.Copy(x.View, y.View, accumulate: true), Throws.ArgumentException.With.Message.StartsWith("copy: accumulated y is Int32[3]"));
    }
}
