using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.MatMul;

[Parallelizable]
public sealed class CpuMatMulTests
{
    private static readonly int[] s_sizes = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 33, 48, 64, 65, 97, 100, 129, 193, 257];

    public static IEnumerable<string> Engines => NanoFold.Kernels.Cpu.MatMul.Engines.AllSingle.Select(engine => engine.Name).Append("float64");

    [Test]
    public void EveryPathHasAnEngine([Values] Isa isa)
        => Assert.That(NanoFold.Kernels.Cpu.MatMul.Engines.For(isa).Name, Does.StartWith(isa == Isa.Scalar ? "scalar" : $"{32 * (int)isa}-bit"));

    [TestCaseSource(nameof(Engines))]
    public void EveryTranspositionEqualsTheNaiveProduct(string engine)
    {
        using var context = new CpuContext(1, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine, out DType type);
        var random = new Random(7);
        for (int i = 0; i < 160; i++)
        {
            (int rows, int columns, int depth) = Sizes(random, i);
            int options = i / 4;
            using MatMulTestCase test = Plain(random, type, rows, columns, depth, (i & 1) != 0, (i & 2) != 0, options);
            test.Check(matMul, $"case {i}: {rows} x {columns} x {depth}, transposed {i & 1} {i >> 1 & 1}, options {options & 15}");
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void ASymmetricProductHasTheBitsOfTheWholeOne(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine, out DType type);
        var random = new Random(10);
        foreach ((int side, int depth) in new[] { (1, 5), (5, 3), (16, 16), (37, 9), (64, 300), (129, 40), (1100, 7) })
        {
            using var x = new TestTensor(random, type, [side, depth], padding: 3);
            using var gram = new TestTensor(random, type, [side, side]);
            using var square = new TestTensor(random, type, [side, side]);
            using var half = new TestTensor(random, type, [side, side], padding: 5);
            matMul.MatMul(new MatMulArgs { A = x.View, B = x.View, TransposeB = true, Y = gram.View });
            matMul.MatMul(new MatMulArgs { A = x.View, B = x.View, TransposeB = true, Y = half.View, IsSymmetric = true });
            Numbers.AssertSameBits(half.Matrix([], false), gram.Matrix([], false), $"gram {side} x {depth}");

            matMul.MatMul(new MatMulArgs { A = gram.View, B = gram.View, Y = square.View });
            matMul.MatMul(new MatMulArgs { A = gram.View, B = gram.View, Y = half.View, IsSymmetric = true });
            Numbers.AssertSameBits(half.Matrix([], false), square.Matrix([], false), $"square of {side}");
            Assert.That(half.OutsideUntouched(), $"beside {side}");
        }
    }

    [Test]
    public void WhatIsSaidToBeSymmetricIsSquareAndOverwritten()
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var random = new Random(1);
        using var x = new TestTensor(random, DType.Float32, [3, 4]);
        using var y = new TestTensor(random, DType.Float32, [3, 3]);
        var matMul = new CpuMatMul(context);
        Assert.That(
            () => matMul.MatMul(new MatMulArgs { A = x.View, B = x.View, TransposeB = true, Y = y.View, IsSymmetric = true, Accumulate = true }),
            Throws.ArgumentException.With.Message.Contains("symmetric"));
    }

    [TestCaseSource(nameof(Engines))]
    public void AnyStridesEqualTheNaiveProduct(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine, out DType type);
        var random = new Random(8);
        int[][] orders = [[0, 1], [1, 0]];
        for (int i = 0; i < 96; i++)
        {
            (int rows, int columns, int depth) = Sizes(random, i);
            bool transposeA = (i & 1) != 0, transposeB = (i & 2) != 0;
            TestTensor Matrix(int first, int second, bool transposed) => new(
                random, type, transposed ? [second, first] : [first, second], orders[random.Next(2)], random.Next(4), random.Next(4) == 0 ? 2 : 1);
            using var test = new MatMulTestCase
            {
                A = Matrix(rows, depth, transposeA),
                B = Matrix(depth, columns, transposeB),
                Y = Matrix(rows, columns, false),
                Bias = (i & 4) != 0 ? new TestTensor(random, type, [columns]) : null,
                Residual = (i & 8) != 0 ? Matrix(rows, columns, false) : null,
                TransposeA = transposeA,
                TransposeB = transposeB,
                Accumulate = (i & 16) != 0,
            };
            test.Check(matMul, $"case {i}: {rows} x {columns} x {depth}");
        }
    }

    // A transposed a is read where it lies, unless y has many columns or the steps of a are a multiple of 4,096 bytes apart.
    [TestCaseSource(nameof(Engines))]
    public void ATransposedOperandOfManyRowsEqualsTheNaiveProduct(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine, out DType type);
        var random = new Random(12);
        int number = 0;
        foreach (int rows in new[] { 512, 1022, 1024 })
        {
            foreach (int columns in new[] { 33, 255, 256 })
            {
                using MatMulTestCase test = Plain(random, type, rows, columns, 19, true, false, number++);
                test.Check(matMul, $"{rows} x {columns} x 19");
            }
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void FewRowsOfALargeProductEqualTheNaiveProduct(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine, out DType type);
        var random = new Random(11);
        for (int rows = 3; rows <= 7; rows++)
        {
            using MatMulTestCase test = Plain(random, type, rows, 1031, 521, false, false, rows);
            test.Check(matMul, $"{rows} x 1031 x 521");
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void BatchesMayBePermutedAndBroadcast(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine, out DType type);
        var random = new Random(9);
        int[][] orders = [[0, 1, 2, 3], [0, 2, 1, 3], [1, 0, 3, 2], [2, 0, 3, 1]];
        for (int i = 0; i < 64; i++)
        {
            int outer = 1 + random.Next(3), inner = 1 + random.Next(4);
            int rows = 1 + random.Next(20), columns = 1 + random.Next(40), depth = 1 + random.Next(40);
            int[] Batch(int keep) => [(keep & 1) != 0 ? outer : 1, (keep & 2) != 0 ? inner : 1];
            using var test = new MatMulTestCase
            {
                A = new TestTensor(random, type, [.. Batch(random.Next(4)), rows, depth], orders[random.Next(4)]),
                B = new TestTensor(random, type, [.. Batch(random.Next(4)), columns, depth], orders[random.Next(4)]),
                Y = new TestTensor(random, type, [outer, inner, rows, columns], orders[random.Next(3)]),
                Bias = (i & 1) != 0 ? new TestTensor(random, type, [columns]) : null,
                Residual = (i & 2) != 0 ? new TestTensor(random, type, [outer, inner, rows, columns]) : null,
                TransposeB = true,
                Alpha = 0.125,
                Accumulate = (i & 4) != 0,
            };
            test.Check(matMul, $"case {i}: {outer} x {inner} of {rows} x {columns} x {depth}");
        }
    }

    [Test]
    public void LeadingDimensionsOfASharedWeightAreRows([Values(1, 5)] int time)
    {
        using var context = new CpuContext(2, IsaExtensions.Best);
        var random = new Random(10);
        using var test = new MatMulTestCase
        {
            A = new TestTensor(random, DType.Float32, [3, time, 70]),
            B = new TestTensor(random, DType.Float32, [50, 70]),
            Y = new TestTensor(random, DType.Float32, [3, time, 50]),
            Bias = new TestTensor(random, DType.Float32, [50]),
            Residual = new TestTensor(random, DType.Float32, [3, time, 50]),
            TransposeB = true,
        };
        test.Check(new CpuMatMul(context), "shared weight");
    }

    [TestCase(700, 40, 900, true, false)]
    [TestCase(9, 2100, 1200, false, true)]
    [TestCase(7, 4200, 300, false, false)]
    [TestCase(12, 4500, 700, false, true)]
    public void LongShapesAreCutIntoSpans(int rows, int columns, int depth, bool transposeA, bool transposeB)
    {
        using var context = new CpuContext(2, IsaExtensions.Best);
        var random = new Random(11);
        using MatMulTestCase test = Plain(random, DType.Float32, rows, columns, depth, transposeA, transposeB, 15);
        test.Check(new CpuMatMul(context), "long");
    }

    [Test]
    public void ThreadsDoNotChangeABit([Values] Isa isa, [Values(2, 3, 7)] int threads)
    {
        foreach ((int rows, int columns, int depth) in new[] { (130, 200, 70), (3, 500, 200), (2, 150, 90), (1, 70, 700), (100, 64, 600) })
        {
            for (int form = 0; form < 4; form++)
            {
                var random = new Random(12);
                using MatMulTestCase test = Plain(random, DType.Float32, rows, columns, depth, (form & 1) != 0, (form & 2) != 0, form * 5);
                double[][] results = new double[2][];
                for (int i = 0; i < 2; i++)
                {
                    using var context = new CpuContext(i == 0 ? 1 : threads, isa);
                    test.Y.Restore();
                    test.Run(new CpuMatMul(context));
                    results[i] = test.Y.Snapshot();
                }

                Numbers.AssertSameBits(results[1], results[0], $"{rows} x {columns} x {depth}, form {form}");
            }
        }
    }

    [Test]
    public void ThreadsDoNotChangeABitOfABatch([Values(2, 3, 7)] int threads)
    {
        double[][] results = new double[2][];
        for (int i = 0; i < 2; i++)
        {
            var random = new Random(15);
            using var test = new MatMulTestCase
            {
                A = new TestTensor(random, DType.Float32, [5, 3, 33, 20]),
                B = new TestTensor(random, DType.Float32, [3, 20, 17]),
                Y = new TestTensor(random, DType.Float32, [5, 3, 33, 17]),
            };
            using var context = new CpuContext(i == 0 ? 1 : threads, IsaExtensions.Best);
            test.Run(new CpuMatMul(context));
            results[i] = test.Y.Snapshot();
        }

        Assert.That(results[1], Is.EqualTo(results[0]));
    }

    [TestCase(100, 70, 50)]
    [TestCase(2, 70, 50)]
    public void YMayBeTheResidual(int rows, int columns, int depth)
    {
        using var context = new CpuContext(1, IsaExtensions.Best);
        var matMul = new CpuMatMul(context);
        double[][] results = new double[2][];
        for (int i = 0; i < 2; i++)
        {
            using MatMulTestCase test = Plain(new Random(16), DType.Float32, rows, columns, depth, false, true, 0);
            matMul.MatMul(new MatMulArgs
            {
                A = test.A.View,
                B = test.B.View,
                Y = test.Y.View,
                TransposeB = true,
                Accumulate = i == 0,
                Residual = i == 0 ? default : test.Y.View,
            });
            results[i] = test.Y.Snapshot();
        }

        Assert.That(results[1], Is.EqualTo(results[0]));
    }

    [Test]
    public void ACallAllocatesNothing([Values(1, 2)] int threads)
    {
        using var context = new CpuContext(threads, IsaExtensions.Best);
        var matMul = new CpuMatMul(context);
        var random = new Random(13);
        using MatMulTestCase blocked = Plain(random, DType.Float32, 100, 150, 200, false, true, 15);
        using MatMulTestCase skinny = Plain(random, DType.Float32, 2, 150, 200, false, true, 15);
        using var batched = new MatMulTestCase
        {
            A = new TestTensor(random, DType.Float32, [3, 4, 20, 10]),
            B = new TestTensor(random, DType.Float32, [3, 4, 10, 20]),
            Y = new TestTensor(random, DType.Float32, [3, 4, 20, 20]),
        };
        foreach (MatMulTestCase test in new[] { blocked, skinny, batched })
        {
            test.Run(matMul);
            test.Run(matMul);
            long before = GC.GetAllocatedBytesForCurrentThread();
            test.Run(matMul);
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        }
    }

    [Test]
    public void ShapesThatDoNotFitAreNamed()
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var matMul = new CpuMatMul(context);
        var random = new Random(14);
        TestTensor Of(params int[] shape) => new(random, DType.Float32, shape);
        using TestTensor a = Of(3, 4), b = Of(5, 6), y = Of(3, 6), b4 = Of(4, 6), y7 = Of(3, 7), batch = Of(2, 4, 6);
        using var wide = new TestTensor(random, DType.Float64, [4, 6]);
        void Refuses(TestTensor left, TestTensor right, TestTensor result, View bias, string message) => Assert.That(
            () => matMul.MatMul(new MatMulArgs { A = left.View, B = right.View, Y = result.View, Bias = bias }),
            Throws.ArgumentException.With.Message.StartsWith("matmul: ").And.Message.Contains(message));
        Refuses(a, b, y, default, "a is Float32[1, 3, 4], b is Float32[1, 5, 6]");
        Refuses(a, b4, y7, default, "y is Float32[1, 3, 7]");
        Refuses(a, wide, y, default, "Float64[1, 4, 6]");
        Refuses(a, batch, y, default, "[1, 2, 4, 6]");
        Refuses(a, b4, y, a.View, "expected [6]");
    }

    internal static CpuMatMul Create(CpuContext context, string engine, out DType type)
    {
        type = engine == "float64" ? DType.Float64 : DType.Float32;
        return type == DType.Float64
            ? new CpuMatMul(context)
            : new CpuMatMul(context, NanoFold.Kernels.Cpu.MatMul.Engines.AllSingle.First(each => each.Name == engine));
    }

    private static (int Rows, int Columns, int Depth) Sizes(Random random, int i)
    {
        // Every size comes up as each of the three; the other two are drawn, at most one of them large.
        int size = s_sizes[i / 2 % s_sizes.Length], small = s_sizes[random.Next(14)], any = s_sizes[random.Next(s_sizes.Length)];
        return (i % 3) switch
        {
            0 => (size, small, any),
            1 => (any, size, small),
            _ => (small, any, size),
        };
    }

    private static MatMulTestCase Plain(Random random, DType type, int rows, int columns, int depth, bool transposeA, bool transposeB, int options) => new()
    {
        A = new TestTensor(random, type, transposeA ? [depth, rows] : [rows, depth], padding: random.Next(2) * 3),
        B = new TestTensor(random, type, transposeB ? [columns, depth] : [depth, columns], padding: random.Next(2) * 5),
        Y = new TestTensor(random, type, [rows, columns], padding: random.Next(2) * 7),
        TransposeA = transposeA,
        TransposeB = transposeB,
        Bias = (options & 1) != 0 ? new TestTensor(random, type, [columns]) : null,
        Residual = (options & 2) != 0 ? new TestTensor(random, type, [rows, columns], padding: 1) : null,
        Accumulate = (options & 4) != 0,
        Alpha = (options & 8) != 0 ? -0.75 : 1,
    };
}
