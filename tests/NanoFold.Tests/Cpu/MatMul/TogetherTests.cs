using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Profiling;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.MatMul;

/// <summary>Products that do not need each other, in one run of the pool.</summary>
[Parallelizable]
public sealed class TogetherTests
{
    // Few rows, one span, several spans of columns and of depth, several blocks of rows, a batch.
    private static readonly (int[] Batch, int Rows, int Columns, int Depth)[] s_shapes =
    [
        ([], 2, 50, 300), ([], 33, 41, 17), ([], 100, 64, 600), ([], 9, 2100, 1200), ([], 200, 1100, 90), ([3], 20, 10, 15), ([], 1, 70, 700), ([], 75, 300, 40),
        ([], 40, 40, 40), ([], 26, 96, 50), ([], 310, 20, 30), ([], 48, 33, 9),
    ];

    public static IEnumerable<string> Engines => CpuMatMulTests.Engines;

    [TestCaseSource(nameof(Engines))]
    public void EachHasTheBitsThatItHasAlone(string engine)
    {
        var random = new Random(5);
        using var one = new CpuContext(1, Isa.Scalar);
        using var many = new CpuContext(new Workers(3, atOnce: 3), Isa.Scalar);
        CpuMatMul alone = CpuMatMulTests.Create(one, engine, out DType type), shared = CpuMatMulTests.Create(many, engine, out _);
        foreach (int count in new[] { 0, 1, 2, 3, 5, s_shapes.Length })
        {
            MatMulTestCase[] products = [.. Enumerable.Range(0, count).Select(i => Case(random, type, s_shapes[(i + count) % s_shapes.Length], i + count))];
            foreach (MatMulTestCase product in products)
            {
                product.Run(alone);
            }

            double[][] expected = [.. products.Select(product => product.Y.Snapshot())];
            foreach (CpuMatMul matMul in (CpuMatMul[])[shared, alone])
            {
                Array.ForEach(products, product => product.Y.Restore());
                matMul.MatMulTogether([.. products.Select(product => product.Args)]);
                for (int i = 0; i < count; i++)
                {
                    Numbers.AssertSameBits(products[i].Y.Snapshot(), expected[i], $"number {i} of {count}");
                }
            }

            Array.ForEach(products, product => product.Dispose());
        }
    }

    [Test]
    public void ManyThreadsDoNotChangeABit([Values(2, 4, 9)] int threads)
    {
        var random = new Random(6);
        MatMulTestCase[] products = [.. s_shapes.Skip(2).Take(3).Select((shape, i) => Case(random, DType.Float32, shape, i))];
        using var one = new CpuContext(1, IsaExtensions.Best);
        Array.ForEach(products, product => product.Run(new CpuMatMul(one)));
        double[][] expected = [.. products.Select(product => product.Y.Snapshot())];
        using var many = new CpuContext(new Workers(threads, atOnce: threads), IsaExtensions.Best);
        var matMul = new CpuMatMul(many);
        for (int round = 0; round < 20; round++)
        {
            Array.ForEach(products, product => product.Y.Restore());
            matMul.MatMulTogether([.. products.Select(product => product.Args)]);
            for (int i = 0; i < products.Length; i++)
            {
                Numbers.AssertSameBits(products[i].Y.Snapshot(), expected[i], $"number {i}, round {round}");
            }
        }

        Array.ForEach(products, product => product.Dispose());
    }

    [Test]
    public void ACallAllocatesNothing()
    {
        using var context = new CpuContext(2, IsaExtensions.Best);
        var matMul = new CpuMatMul(context);
        MatMulTestCase[] products = [.. s_shapes.Select((shape, i) => Case(new Random(i), DType.Float32, shape, i))];
        MatMulArgs[] args = [.. products.Select(product => product.Args)];
        matMul.MatMulTogether(args);
        matMul.MatMulTogether(args);
        Assert.That(EngineTests.LeastAllocated(() => matMul.MatMulTogether(args)), Is.Zero);
        Array.ForEach(products, product => product.Dispose());
    }

    [Test]
    public void TheyAreOneRunThatBeginsWithPacking()
    {
        using var context = new CpuContext(1, IsaExtensions.Best);
        MatMulTestCase[] products = [.. s_shapes.Skip(7).Take(2).Select((shape, i) => Case(new Random(i), DType.Float32, shape, i))];
        var log = new ItemLog();
        context.Workers.Items = log;
        new CpuMatMul(context).MatMulTogether([.. products.Select(product => product.Args)]);
        Assert.That(Enumerable.Range(0, log.Runs).Select(run => (KernelName.Of(log.Work(run)), log.IsPart(run))), Is.EqualTo(new[] { ("matrix-products.pack", true), ("matrix-products", false) }));
        Array.ForEach(products, product => product.Dispose());
    }

    private static MatMulTestCase Case(Random random, DType type, (int[] Batch, int Rows, int Columns, int Depth) shape, int options)
    {
        (int[] batch, int rows, int columns, int depth) = shape;
        bool transposeA = (options & 1) != 0, transposeB = (options & 2) != 0;
        return new MatMulTestCase
        {
            A = new TestTensor(random, type, transposeA ? [.. batch, depth, rows] : [.. batch, rows, depth], padding: 3),
            B = new TestTensor(random, type, transposeB ? [.. batch, columns, depth] : [.. batch, depth, columns]),
            Y = new TestTensor(random, type, [.. batch, rows, columns], padding: 1),
            TransposeA = transposeA,
            TransposeB = transposeB,
            Bias = (options & 4) != 0 ? new TestTensor(random, type, [columns]) : null,
            Accumulate = (options & 8) != 0,
        };
    }
}
