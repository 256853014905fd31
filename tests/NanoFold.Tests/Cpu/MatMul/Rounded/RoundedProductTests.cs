using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Cpu.MatMul.Rounded;
using NanoFold.Kernels.Memory;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.MatMul.Rounded;

/// <summary>Products whose operands are rounded to bfloat16, on every unit that the machine has and on floats.</summary>
[Parallelizable]
public sealed unsafe class RoundedProductTests
{
    private static readonly int[] s_sizes = [1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 64, 65, 97, 129, 257];

    private static IEnumerable<string> Engines => RoundedEngines.All.Select(engine => engine.Name);

    [TestCaseSource(nameof(Engines))]
    public void RoundedOperandsGiveTheNaiveProduct(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine);
        var random = new Random(7);
        int[][] orders = [[0, 1], [1, 0]];
        for (int i = 0; i < 160; i++)
        {
            int size = s_sizes[i / 2 % s_sizes.Length], other = s_sizes[random.Next(s_sizes.Length)], third = s_sizes[random.Next(s_sizes.Length)];
            (int rows, int columns, int depth) = (i % 3) switch { 0 => (size, other, third), 1 => (other, size, third), _ => (other, third, size) };
            bool transposeA = (i & 1) != 0, transposeB = (i & 2) != 0;
            TestTensor Matrix(int first, int second, bool transposed) => new(
                random, DType.Float32, transposed ? [second, first] : [first, second], orders[random.Next(2)], random.Next(4), random.Next(5) == 0 ? 2 : 1);
            using var test = new MatMulTestCase
            {
                A = Matrix(rows, depth, transposeA),
                B = Matrix(depth, columns, transposeB),
                Y = Matrix(rows, columns, false),
                Bias = (i & 4) != 0 ? new TestTensor(random, DType.Float32, [columns]) : null,
                Residual = (i & 8) != 0 ? Matrix(rows, columns, false) : null,
                TransposeA = transposeA,
                TransposeB = transposeB,
                Accumulate = (i & 16) != 0,
                Alpha = (i & 32) != 0 ? -0.75 : 1,
            };
            test.Round();
            test.Check(matMul, $"case {i}: {rows} x {columns} x {depth}");
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void OperandsAreRoundedToNearestEven(string engine)
    {
        using var context = new CpuContext(1, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine);
        for (int form = 0; form < 4; form++)
        {
            using MatMulTestCase test = Plain(70, 50, 90, form);
            test.Run(matMul);
            double[] found = test.Y.Snapshot();
            test.Y.Restore();
            test.Round();
            test.Run(matMul);
            Numbers.AssertSameBits(found, test.Y.Snapshot(), $"form {form}");
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void ThreadsDoNotChangeABit(string engine)
    {
        foreach ((int rows, int columns, int depth) in new[] { (130, 200, 70), (100, 64, 1300), (40, 2100, 300), (3, 500, 200) })
        {
            for (int form = 0; form < 4; form++)
            {
                using MatMulTestCase test = Plain(rows, columns, depth, form);
                double[][] results = new double[3][];
                for (int i = 0; i < 3; i++)
                {
                    using var context = new CpuContext(i == 0 ? 1 : 2 * i + 1, Isa.Scalar);
                    test.Y.Restore();
                    test.Run(Create(context, engine));
                    results[i] = test.Y.Snapshot();
                }

                Assert.That((results[1].SequenceEqual(results[0]), results[2].SequenceEqual(results[0])), Is.EqualTo((true, true)), $"{rows} x {columns} x {depth}, form {form}");
            }
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void ASymmetricProductHasTheBitsOfTheWholeOne(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine);
        foreach ((int side, int depth) in new[] { (37, 9), (64, 300), (129, 40), (1100, 7) })
        {
            var random = new Random(10);
            using var x = new TestTensor(random, DType.Float32, [side, depth], padding: 3);
            using var whole = new TestTensor(random, DType.Float32, [side, side]);
            using var half = new TestTensor(random, DType.Float32, [side, side], padding: 5);
            matMul.MatMul(new MatMulArgs { A = x.View, B = x.View, TransposeB = true, Y = whole.View });
            matMul.MatMul(new MatMulArgs { A = x.View, B = x.View, TransposeB = true, Y = half.View, IsSymmetric = true });
            Numbers.AssertSameBits(half.Matrix([], false), whole.Matrix([], false), $"{side} x {depth}");
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void WeightsOfFilesGiveTheBitsOfTheirValues(string engine)
    {
        using var context = new CpuContext(1, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine);
        const int Rows = 60, Columns = 75, Depth = 330;
        var random = new Random(3);
        using var a = new TestTensor(random, DType.Float32, [Rows, Depth]);
        using var b = new TestTensor(random, DType.Float32, [Columns, Depth]);
        using var wide = new TestTensor(random, DType.Float32, [Rows, Columns]);
        using var stored = new TestTensor(random, DType.Float32, [Rows, Columns]);
        b.Round();
        double[] values = b.Matrix([], false);
        using var buffer = new NativeBuffer(values.Length * sizeof(ushort));
        for (int i = 0; i < values.Length; i++)
        {
            buffer.Span<ushort>()[i] = BFloat16.FromSingle((float)values[i]);
        }

        matMul.MatMul(new MatMulArgs { A = a.View, B = b.View, TransposeB = true, Y = wide.View });
        matMul.MatMul(new MatMulArgs { A = a.View, B = new View(buffer, 0, Layout.Of(Columns, Depth), DType.BFloat16), TransposeB = true, Y = stored.View });
        Assert.That(stored.Matrix([], false), Is.EqualTo(wide.Matrix([], false)));
    }

    [TestCaseSource(nameof(Engines))]
    public void WhatIsNoNumberStaysNone(string engine)
    {
        using var context = new CpuContext(1, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine);
        // The lower half of the second's bits would carry into a number.
        foreach (float odd in new[] { float.NaN, BitConverter.UInt32BitsToSingle(0x7fffffff), BitConverter.UInt32BitsToSingle(0x7f800001), float.PositiveInfinity, float.MaxValue })
        {
            using MatMulTestCase test = Plain(40, 40, 40, 0);
            float* a = (float*)test.A.View.Address;
            a[0] = odd;
            test.Run(matMul);
            bool isNumber = !float.IsNaN(odd);
            Assert.That((double.IsNaN(test.Y[0, 0]), double.IsFinite(test.Y[0, 0]), double.IsFinite(test.Y[1, 0])), Is.EqualTo((!isNumber, false, true)), $"{odd}");
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void ACallAllocatesNothing(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = Create(context, engine);
        using MatMulTestCase test = Plain(100, 150, 200, 2);
        test.Run(matMul);
        test.Run(matMul);
        long before = GC.GetAllocatedBytesForCurrentThread();
        test.Run(matMul);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void ThePathDecidesWhereNoUnitServes([Values] Isa isa)
    {
        string expected = isa == Isa.Scalar ? "scalar" : $"{32 * (int)isa}-bit";
        Assert.That(RoundedEngines.For(isa).Name, Does.Contain(isa == Isa.Vector512 && RoundedUnits.Chosen is not null ? "bf16 " : $"widened, {expected}"));
        Assert.That(RoundedUnits.Chosen is null, Is.EqualTo(RoundedUnits.Reason is not null));
        Assert.That(RoundedUnits.Gain, Is.GreaterThanOrEqualTo(1));
    }

    private static MatMulTestCase Plain(int rows, int columns, int depth, int form)
    {
        var random = new Random(12);
        bool transposeA = (form & 1) != 0, transposeB = (form & 2) != 0;
        return new MatMulTestCase
        {
            A = new TestTensor(random, DType.Float32, transposeA ? [depth, rows] : [rows, depth]),
            B = new TestTensor(random, DType.Float32, transposeB ? [columns, depth] : [depth, columns], padding: 5),
            Y = new TestTensor(random, DType.Float32, [rows, columns]),
            Residual = form == 1 ? new TestTensor(random, DType.Float32, [rows, columns]) : null,
            TransposeA = transposeA,
            TransposeB = transposeB,
            Accumulate = form == 2,
        };
    }

    private static CpuMatMul Create(CpuContext context, string engine) => new(context, RoundedEngines.All.First(each => each.Name == engine));
}
