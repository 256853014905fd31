using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests.MatMul;

public class MatMulTests : GpuTests
{
    private static int[][] Sizes => IsSimulated ? [[1, 1, 1], [5, 7, 6], [3, 2, 13]] : [[1, 1, 1], [5, 7, 6], [64, 64, 64], [65, 130, 33], [1, 300, 257], [128, 256, 512], [200, 15, 1000]];

    [Test]
    public void AProductIsThatOfTheCpu([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool sums, [Values] bool transposeA, [Values] bool transposeB)
    {
        foreach (int[] size in Sizes)
        {
            (int m, int n, int k) = (size[0], size[1], size[2]);
            using var twins = new Twins(Gpu, Cpu);
            Twin a = transposeA ? twins.Random(type, 1, k, m) : twins.Random(type, 1, m, k);
            Twin b = transposeB ? twins.Random(type, 2, n, k) : twins.Random(type, 2, k, n);
            Twin y = twins.Random(sums ? DType.Float32 : type, 3, m, n);
            Multiply(a, b, y, transposeA, transposeB, alpha: 0.5);
            twins.AssertClose(y, Twins.Tolerance(type), $"{m} x {n} x {k}");
            Multiply(a, b, y, transposeA, transposeB, accumulate: true);
            twins.AssertClose(y, 2 * Twins.Tolerance(type), $"{m} x {n} x {k}, added");
        }
    }

    [Test]
    public void BiasAndResidual([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool accumulate)
    {
        using var twins = new Twins(Gpu, Cpu);
        int m = IsSimulated ? 4 : 70, n = IsSimulated ? 6 : 90;
        Twin a = twins.Random(type, 1, 2, m, 8), b = twins.Random(type, 2, 8, n), bias = twins.Random(type, 3, n), residual = twins.Random(type, 4, n, m), y = twins.Random(type, 5, 2, m, n);
        Multiply(a, b, y, accumulate: accumulate, bias: bias, residual: residual.Permute(1, 0));
        twins.AssertClose(y, 2 * Twins.Tolerance(type));
        if (!accumulate)
        {
            Multiply(a, b, y, residual: y);
            twins.AssertClose(y, 4 * Twins.Tolerance(type), "residual in place");
        }
    }

    [Test]
    public void AResidualGivesTheBitsOfAnAdditionOfItsOwn([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool biased)
    {
        foreach (int[] size in IsSimulated ? Sizes : [.. Sizes, [40, 48, 4096]])
        {
            (int m, int n, int k) = (size[0], size[1], size[2]);
            using var twins = new Twins(Gpu, Cpu);
            Twin a = twins.Random(type, 1, m, k), b = twins.Random(type, 2, k, n), residual = twins.Random(type, 3, m, n);
            Twin bias = biased ? twins.Random(type, 4, n) : Twins.None, fused = twins.Random(type, 5, m, n), y = twins.Random(type, 6, m, n);
            Multiply(a, b, fused, bias: bias, residual: residual);
            Multiply(a, b, y, bias: bias);
            Gpu.Copy(residual.Gpu, y.Gpu, accumulate: true);
            Assert.That(twins.Read(fused), Is.EqualTo(twins.Read(y)), $"{m} x {n} x {k}");
        }
    }

    [Test]
    public void BatchesOfAnyStrides([Values(DType.Float32, DType.BFloat16)] DType type)
    {
        using var twins = new Twins(Gpu, Cpu);
        int t = IsSimulated ? 3 : 40, d = IsSimulated ? 4 : 24;

        // Heads lie side by side in rows, and two query heads share one key head.
        Twin q = twins.Random(type, 1, 2, t, 4, d), k = twins.Random(type, 2, 2, t, 2, d), y = twins.Random(type, 3, 2, 2, 2, t + 1, t + 2);
        Twin queries = q.With(Layout.Of(2, t, 2, 2, d)).Permute(0, 2, 3, 1, 4);
        Twin keys = k.With(Layout.Of(2, t, 2, 1, d)).Permute(0, 2, 3, 1, 4);
        Multiply(queries, keys, y.Slice(3, 1, t).Slice(4, 1, t), transposeB: true, alpha: 0.25);
        twins.AssertClose(y, Twins.Tolerance(type));

        // A batch of single rows is one product, also where rows lie apart.
        Twin rows = twins.Random(type, 4, 5, 2, d), weight = twins.Random(type, 5, d, 6), z = twins.Random(type, 6, 5, 3, 6);
        Multiply(rows.Slice(1, 1, 1), weight, z.Slice(1, 1, 1));
        twins.AssertClose(z, Twins.Tolerance(type));

        // A batch each has a matrix of its own on the right only.
        Twin left = twins.Random(type, 7, t, d), right = twins.Random(type, 8, 3, d, 5), products = twins.Random(type, 9, 3, t, 5);
        Multiply(left, right, products);
        twins.AssertClose(products, Twins.Tolerance(type));
    }

    [Test]
    public void GroupsOfRows([Values(DType.Float32, DType.BFloat16)] DType type, [Values] bool sums, [Values] bool transpose, [Values] bool accumulate)
    {
        using var twins = new Twins(Gpu, Cpu);
        int scale = IsSimulated ? 1 : 33, k = IsSimulated ? 4 : 40, n = IsSimulated ? 3 : 70;
        Twin offsets = twins.Integers([5], [0, 3 * scale, 3 * scale, 4 * scale, 7 * scale]);
        DType result = sums ? DType.Float32 : type;
        Twin a = twins.Random(type, 1, 8 * scale, k), b = transpose ? twins.Random(type, 2, 4, n, k) : twins.Random(type, 2, 4, k, n), y = twins.Random(result, 3, 8 * scale, n);
        Gpu.GroupedMatMul(new GroupedMatMulArgs { A = a.Gpu, B = b.Gpu, Y = y.Gpu, Offsets = offsets.Gpu, TransposeB = transpose, Accumulate = accumulate });
        Cpu.GroupedMatMul(new GroupedMatMulArgs { A = a.Cpu, B = b.Cpu, Y = y.Cpu, Offsets = offsets.Cpu, TransposeB = transpose, Accumulate = accumulate });
        twins.AssertClose(y, 2 * Twins.Tolerance(type));
        if (!transpose)
        {
            Twin rows = twins.Random(type, 4, 8 * scale, n), w = twins.Random(result, 5, 4, k, n);
            Gpu.GroupedMatMul(new GroupedMatMulArgs { A = a.Gpu, B = rows.Gpu, Y = w.Gpu, Offsets = offsets.Gpu, PerGroupOutput = true, Accumulate = accumulate });
            Cpu.GroupedMatMul(new GroupedMatMulArgs { A = a.Cpu, B = rows.Cpu, Y = w.Cpu, Offsets = offsets.Cpu, PerGroupOutput = true, Accumulate = accumulate });
            twins.AssertClose(w, 2 * Twins.Tolerance(type));
        }
    }

    private void Multiply(
        in Twin a, in Twin b, in Twin y, bool transposeA = false, bool transposeB = false, double alpha = 1, bool accumulate = false, in Twin bias = default, in Twin residual = default)
    {
        Gpu.MatMul(new MatMulArgs
        {
            A = a.Gpu, B = b.Gpu, Y = y.Gpu, TransposeA = transposeA, TransposeB = transposeB, Alpha = alpha, Accumulate = accumulate, Bias = bias.Gpu, Residual = residual.Gpu,
        });
        Cpu.MatMul(new MatMulArgs
        {
            A = a.Cpu, B = b.Cpu, Y = y.Cpu, TransposeA = transposeA, TransposeB = transposeB, Alpha = alpha, Accumulate = accumulate, Bias = bias.Cpu, Residual = residual.Cpu,
        });
    }
}
