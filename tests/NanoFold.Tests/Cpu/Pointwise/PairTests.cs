using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Tests.Cpu.Pointwise;

/// <summary>Elementwise formulas with two results.</summary>
public class PairTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void EveryLengthWithOperandsThatBroadcast(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int n in Lengths)
        {
            Layout target = Layout.Of(3, n);
            using Guarded a = Guarded.Random(target, type, 1), b = Guarded.Random(Layout.Of(n), type, 2), c = Guarded.Random(Layout.Of(3, 1), type, 3);
            foreach ((bool addY, bool addZ) in new[] { (false, false), (true, false), (false, true), (true, true) })
            {
                Check(backend, a, b, c, target, addY, target, addZ, type);
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void AnyStrides(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (Layout ly in Strided())
        {
            foreach (Layout lz in Strided())
            {
                using Guarded a = Guarded.Random(lz, type, 1), b = Guarded.Random(ly, type, 2), c = Guarded.Random(Layout.Of(4, 1), type, 3);
                Check(backend, a, b, c, ly, true, lz, false, type);
                Check(backend, a, b, c, ly, false, lz, true, type);
            }
        }
    }

    [TestCaseSource(nameof(Paths))]
    public void BothResultsMayBeAddedUpInOnePlace(Isa isa, DType type)
    {
        using var backend = new CpuBackend(1, isa);
        foreach (int n in Lengths)
        {
            Layout layout = Layout.Of(n);
            using Guarded a = Guarded.Random(layout, type, 1), b = Guarded.Random(layout, type, 2), c = Guarded.Random(layout, type, 3), y = Guarded.Random(layout, type, 4);
            double[] vb = b.ToArray(), vc = c.ToArray();
            double[] expected = [.. a.ToArray().Select((v, i) => Lerp.Of(v, vb[i], vc[i]) + v * vb[i])];
            backend.Zip(default(LerpAndProduct), a.View, b.View, c.View, y.View, false, y.View, true);
            y.AssertEqual(expected, Tolerance(type), $"{n}");
        }
    }

    [Test]
    public void TheSameBitsForAnyThreads([Values] Isa isa)
    {
        Layout layout = Layout.Of(300, 129);
        using Guarded a = Guarded.Random(layout, DType.Float32, 1), b = Guarded.Random(layout, DType.Float32, 2), c = Guarded.Random(layout, DType.Float32, 3);
        using Guarded other = new(layout, DType.Float32);
        SameBits(isa, () => new Guarded(layout, DType.Float32), (backend, y) => backend.Zip(default(LerpAndProduct), a.View, b.View, c.View, y.View, false, other.View, false), "y");
        SameBits(isa, () => new Guarded(layout, DType.Float32), (backend, z) => backend.Zip(default(LerpAndProduct), a.View, b.View, c.View, other.View, false, z.View, false), "z");
    }

    [Test]
    public void WrongShapesAreNamedAndNothingIsAllocated()
    {
        using var backend = new CpuBackend(2);
        using Guarded a = Guarded.Random(Layout.Of(300, 129), DType.Float32, 1), y = new(Layout.Of(300, 129), DType.Float32), z = new(Layout.Of(300, 129), DType.Float32);
        View narrow = z.View.With(Layout.Of(300, 128));

        Assert.That(
            () => backend.Zip(default(LerpAndProduct), a.View, a.View, a.View, y.View, false, narrow, false),
            Throws.ArgumentException.With.Message.StartsWith("zip: z is Float32[300, 128]"));
        AllocatesNothing(() => backend.Zip(default(LerpAndProduct), a.View, a.View, a.View, y.View, false, z.View, false), "pair");
    }

    private static void Check(CpuBackend backend, Guarded a, Guarded b, Guarded c, in Layout ly, bool addY, in Layout lz, bool addZ, DType type)
    {
        using Guarded y = Guarded.Random(ly, type, 4), z = Guarded.Random(lz, type, 5);
        double[] va = a.As(ly), vb = b.As(ly), vc = c.As(ly), vy = y.ToArray(), vz = z.ToArray();
        double[] first = [.. va.Select((v, i) => Lerp.Of(v, vb[i], vc[i]) + (addY ? vy[i] : 0))];
        double[] second = [.. va.Select((v, i) => v * vb[i] + (addZ ? vz[i] : 0))];
        backend.Zip(default(LerpAndProduct), a.View, b.View, c.View, y.View, addY, z.View, addZ);
        y.AssertEqual(first, Tolerance(type), $"y {ly}, z {lz}, {addY} {addZ}: y");
        z.AssertEqual(second, Tolerance(type), $"y {ly}, z {lz}, {addY} {addZ}: z");
    }

    private readonly struct LerpAndProduct : IPairOp
    {
        public V Invoke<V>(V a, V b, V c, out V z)
            where V : struct, ILane<V>
        {
            z = a * b;
            return default(Lerp).Invoke(a, b, c);
        }
    }
}
