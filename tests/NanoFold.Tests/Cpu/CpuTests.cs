using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Lanes;

using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu;

/// <summary>What the tests of the primitives share: every instruction-set path in float, and double once.</summary>
public abstract class CpuTests
{
    /// <summary>Every path with its lane's type.</summary>
    public static readonly object[][] Paths =
    [
        [Isa.Scalar, DType.Float32],
        [Isa.Vector128, DType.Float32],
        [Isa.Vector256, DType.Float32],
        [Isa.Vector512, DType.Float32],
        [Isa.Vector256, DType.Float64],
    ];

    /// <summary>Lengths around every lane's width and the blocks of the strided paths.</summary>
    protected static IEnumerable<int> Lengths => [1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 15, 16, 17, 19, 23, 25, 31, 32, 33, 41, 63, 64, 65, 77, 97, 127, 129, 151, 193, 255, 256, 257];

    protected static double Tolerance(DType type) => type == DType.Float64 ? 1e-13 : 1e-6;

    /// <summary>Layouts of shape [3, 4, 5] with all kinds of strides.</summary>
    protected static IEnumerable<Layout> Strided()
    {
        yield return Layout.Of(3, 4, 5);
        yield return Layout.Of(5, 4, 3).Permute(2, 1, 0);
        yield return Layout.Of(4, 3, 5).Permute(1, 0, 2);
        yield return Layout.Of(3, 4, 11).Slice(2, 3, 5, out _);
        yield return Layout.Of(3, 9, 5).Slice(1, 2, 4, out _);
        yield return Layout.Of(3, 5, 9).Slice(2, 1, 4, out _).Permute(0, 2, 1);
    }

    protected readonly struct Silu : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => x / (V.Constant(1) + V.Exp(-x));

        public static double Of(double x) => x / (1 + Math.Exp(-x));
    }

    protected readonly struct Mix(double weight) : IBinaryOp
    {
        private readonly double _weight = weight;

        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a * V.Constant(_weight) - b;

        public double Of(double a, double b) => a * _weight - b;
    }

    protected readonly struct Lerp : ITernaryOp
    {
        public V Invoke<V>(V a, V b, V c)
            where V : struct, ILane<V>
            => V.MultiplyAdd(c, b - a, a);

        public static double Of(double a, double b, double c) => a + c * (b - a);
    }

    /// <summary>Runs the call with 1, 2, 3 and 7 threads and asks for the same bits.</summary>
    protected static void SameBits(Isa isa, Func<Guarded> makeOutput, Action<CpuBackend, Guarded> call, string what)
    {
        double[]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 7 })
        {
            using CpuBackend backend = EngineTests.AllAtOnce(threads, isa);
            using Guarded y = makeOutput();
            call(backend, y);
            double[] values = y.ToArray();
            first ??= values;
            Assert.That(values.SequenceEqual(first), $"{what}: {threads} threads");
        }
    }

    /// <summary>The call allocates nothing on this thread once it has run.</summary>
    protected static void AllocatesNothing(Action call, string what)
    {
        call();
        call();
        long before = GC.GetAllocatedBytesForCurrentThread();
        call();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero, what);
    }
}
