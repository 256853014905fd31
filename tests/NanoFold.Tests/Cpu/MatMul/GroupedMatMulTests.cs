using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.MatMul;

public sealed class GroupedMatMulTests
{
    private static readonly int[][] s_offsets = [[0, 5, 5, 26, 40], [0, 0, 0, 0, 0], [0, 1, 2, 4, 40], [3, 3, 10, 11, 33]];

    public static IEnumerable<string> Engines => CpuMatMulTests.Engines;

    [TestCaseSource(nameof(Engines))]
    public void RowsMeetTheMatrixOfTheirGroup(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = CpuMatMulTests.Create(context, engine, out DType type);
        var random = new Random(20);
        for (int i = 0; i < 16; i++)
        {
            int[] offsets = s_offsets[i / 4];
            bool transposeB = (i & 1) != 0, accumulate = (i & 2) != 0;
            using var a = new TestTensor(random, type, [40, 37]);
            using var b = new TestTensor(random, type, transposeB ? [4, 22, 37] : [4, 37, 22]);
            using var y = new TestTensor(random, type, [40, 22]);
            double[] start = y.Snapshot();
            Run(matMul, a, b, y, offsets, transposeB, false, accumulate, 2, 3);

            for (int row = 0; row < 40; row++)
            {
                int group = Array.FindLastIndex(offsets, offset => offset <= row);
                for (int column = 0; column < 22; column++)
                {
                    double before = start[y.View.Offset + row * 22 + column], expected = before;
                    if (group is >= 0 and < 4)
                    {
                        expected = accumulate ? before : 0;
                        for (int k = 0; k < 37; k++)
                        {
                            expected += a[row, k] * (transposeB ? b[group, column, k] : b[group, k, column]);
                        }
                    }

                    Assert.That(y[row, column], Is.EqualTo(expected).Within(1e-5), $"case {i}, row {row}, column {column}");
                }
            }

            Assert.That(y.OutsideUntouched(), $"case {i}");
        }
    }

    [TestCaseSource(nameof(Engines))]
    public void GradientsOfTheWeightsGoToTheirGroup(string engine)
    {
        using var context = new CpuContext(2, Isa.Scalar);
        CpuMatMul matMul = CpuMatMulTests.Create(context, engine, out DType type);
        var random = new Random(21);
        for (int i = 0; i < 8; i++)
        {
            int[] offsets = s_offsets[i / 2];
            bool accumulate = (i & 1) != 0;
            using var a = new TestTensor(random, type, [40, 19]);
            using var b = new TestTensor(random, type, [40, 35]);
            using var y = new TestTensor(random, type, [4, 19, 35]);
            double[] start = y.Snapshot();
            Run(matMul, a, b, y, offsets, false, true, accumulate, 3, 2);

            for (int e = 0; e < 4; e++)
            {
                for (int k = 0; k < 19; k++)
                {
                    for (int column = 0; column < 35; column++)
                    {
                        double expected = accumulate ? start[y.View.Offset + (e * 19 + k) * 35 + column] : 0;
                        for (int row = offsets[e]; row < offsets[e + 1]; row++)
                        {
                            expected += a[row, k] * b[row, column];
                        }

                        Assert.That(y[e, k, column], Is.EqualTo(expected).Within(1e-5), $"case {i}, group {e}, {k}, {column}");
                    }
                }
            }

            Assert.That(y.OutsideUntouched(), $"case {i}");
        }
    }

    [Test]
    public void ThreadsDoNotChangeABitAndNothingIsAllocated([Values(2, 3)] int threads, [Values] bool perGroupOutput)
    {
        double[][] results = new double[2][];
        for (int i = 0; i < 2; i++)
        {
            using var context = new CpuContext(i == 0 ? 1 : threads, IsaExtensions.Best);
            var matMul = new CpuMatMul(context);
            var random = new Random(24);
            using var a = new TestTensor(random, DType.Float32, [40, 37]);
            using var b = new TestTensor(random, DType.Float32, perGroupOutput ? [40, 200] : [4, 37, 200]);
            using var y = new TestTensor(random, DType.Float32, perGroupOutput ? [4, 37, 200] : [40, 200]);
            using var offsets = new NativeBuffer(5 * sizeof(int));
            s_offsets[0].CopyTo(offsets.Span<int>());
            View va = WithRank(a, 2), vb = WithRank(b, perGroupOutput ? 2 : 3), vy = WithRank(y, perGroupOutput ? 3 : 2);
            var vo = new View(offsets, 0, Layout.Of(5), DType.Int32);
            void Run() => matMul.GroupedMatMul(new GroupedMatMulArgs { A = va, B = vb, Y = vy, Offsets = vo, PerGroupOutput = perGroupOutput });
            Run();
            Run();
            long before = GC.GetAllocatedBytesForCurrentThread();
            Run();
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
            results[i] = y.Snapshot();
        }

        Assert.That(results[1], Is.EqualTo(results[0]));
    }

    [TestCase(new[] { 0, 3, 2, 4, 5 }, "got 2 after 3 at 2")]
    [TestCase(new[] { 0, 3, 3, 4, 41 }, "got 41 after 4 at 4")]
    [TestCase(new[] { -1, 3, 3, 4, 5 }, "got -1 after 0 at 0")]
    [TestCase(new[] { 0, 3, 3, 4 }, "offsets")]
    public void BadOffsetsAreNamed(int[] offsets, string message)
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var random = new Random(22);
        using var a = new TestTensor(random, DType.Float32, [40, 3]);
        using var b = new TestTensor(random, DType.Float32, [4, 3, 2]);
        using var y = new TestTensor(random, DType.Float32, [40, 2]);
        Assert.That(() => Run(new CpuMatMul(context), a, b, y, offsets, false, false, false, 2, 3), Throws.ArgumentException.With.Message.Contains(message));
    }

    [Test]
    public void ShapesThatDoNotFitAreNamed()
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var random = new Random(23);
        using var a = new TestTensor(random, DType.Float32, [40, 3]);
        using var b = new TestTensor(random, DType.Float32, [4, 5, 2]);
        using var y = new TestTensor(random, DType.Float32, [40, 2]);
        Assert.That(() => Run(new CpuMatMul(context), a, b, y, s_offsets[0], false, false, false, 2, 3), Throws.ArgumentException.With.Message.Contains("a is Float32[40, 3], b is Float32[4, 5, 2], y is Float32[40, 2]"));
    }

    private static void Run(
        CpuMatMul matMul, TestTensor a, TestTensor b, TestTensor y, int[] offsets, bool transposeB, bool perGroupOutput, bool accumulate, int yRank, int bRank)
    {
        using var data = new NativeBuffer(offsets.Length * sizeof(int));
        offsets.CopyTo(data.Span<int>());
        matMul.GroupedMatMul(new GroupedMatMulArgs
        {
            A = WithRank(a, 2),
            B = WithRank(b, bRank),
            Y = WithRank(y, yRank),
            Offsets = new View(data, 0, Layout.Of(offsets.Length), DType.Int32),
            TransposeB = transposeB,
            PerGroupOutput = perGroupOutput,
            Accumulate = accumulate,
        });
    }

    /// <summary>The contiguous tensor without its leading 1.</summary>
    private static View WithRank(TestTensor tensor, int rank)
        => tensor.View.With(Layout.Of(tensor.View.Layout.ToShape().AsSpan(1, rank)));
}
