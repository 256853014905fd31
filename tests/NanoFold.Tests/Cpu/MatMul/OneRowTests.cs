using System.Runtime.Intrinsics;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Tests.Cpu.MatMul;

/// <summary>Products of one row with a small matrix, as decoding makes them.</summary>
public unsafe class OneRowTests
{
    private static readonly Isa[] s_paths = [Isa.Scalar, Isa.Vector128, Isa.Vector256, Isa.Vector512];

    [Test]
    public void ColumnsHaveTheBitsThatTheyHaveAlone([ValueSource(nameof(s_paths))] Isa isa, [Values] bool bias, [Values] bool residual, [Values] bool accumulate)
    {
        using var backend = new CpuBackend(1, isa);
        foreach ((int depth, int columns) in new[] { (1, 4), (7, 5), (16, 9), (64, 64), (172, 67), (300, 3) })
        {
            double[] values = Operand.Random(4, columns);
            using var a = new Operand(DType.Float32, [1, depth], Operand.Random(1, depth));
            using var b = new Operand(DType.Float32, [columns, depth], Operand.Random(2, columns * depth));
            using var added = new Operand(DType.Float32, [columns], Operand.Random(3, columns));
            using var other = new Operand(DType.Float32, [1, columns], Operand.Random(5, columns));
            using var together = new Operand(DType.Float32, [1, columns], values);
            using var alone = new Operand(DType.Float32, [1, columns], values);
            Multiply(0, columns, together);
            for (int j = 0; j < columns; j++)
            {
                // Two at a time are not four side by side.
                Multiply(j, Math.Min(2, columns - j), alone, j);
            }

            Assert.That(together.Values, Is.EqualTo(alone.Values), $"{depth} x {columns}");
            together.AssertGuards();
            double[] x = a.Values, w = b.Values, plus = added.Values, more = other.Values;
            double[] expected = [.. values.Select((value, j) => x.Select((v, k) => v * w[(j * depth) + k]).Sum() + (accumulate ? value : 0) + (bias ? plus[j] : 0) + (residual ? more[j] : 0))];
            Assert.That(together.Values, Is.EqualTo(expected).Within(1e-5 * Math.Sqrt(depth) * 4), $"{depth} x {columns}");

            void Multiply(int first, int count, Operand y, int? only = null)
            {
                double[] before = y.Values;
                backend.MatMul(new MatMulArgs
                {
                    A = a.View,
                    B = Part(b.View, 0, first, count),
                    TransposeB = true,
                    Bias = bias ? Part(added.View, 0, first, count) : default,
                    Residual = residual ? Part(other.View, 1, first, count) : default,
                    Y = Part(y.View, 1, first, count),
                    Accumulate = accumulate,
                });
                if (only is { } place && count > 1)
                {
                    // The second of the two comes in its own turn.
                    y[place + 1] = before[place + 1];
                }
            }
        }
    }

    [Test]
    public void FourSumsHaveTheBitsOfSums()
    {
        var random = new Random(2);
        float[] x = [.. Enumerable.Range(0, 64 * 50).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-4, 5))))];
        for (int i = 0; i < x.Length; i += 64)
        {
            float[] at = x[i..(i + 64)];
            Vector512<float> a = Vector512.Create(at), b = Vector512.Create(at, 16), c = Vector512.Create(at, 32), d = Vector512.Create(at, 48);
            Assert.That(FourSums.Of(a, b, c, d), Is.EqualTo(Vector128.Create(Vector512.Sum(a), Vector512.Sum(b), Vector512.Sum(c), Vector512.Sum(d))));
            Vector256<float> e = a.GetLower(), f = b.GetUpper(), g = c.GetLower(), h = d.GetUpper();
            Assert.That(FourSums.Of(e, f, g, h), Is.EqualTo(Vector128.Create(Vector256.Sum(e), Vector256.Sum(f), Vector256.Sum(g), Vector256.Sum(h))));
            Vector128<float> k = e.GetLower(), l = f.GetUpper(), m = g.GetLower(), n = h.GetUpper();
            Assert.That(FourSums.Of(k, l, m, n), Is.EqualTo(Vector128.Create(Vector128.Sum(k), Vector128.Sum(l), Vector128.Sum(m), Vector128.Sum(n))));
        }
    }

    private static View Part(in View view, int axis, int first, int count) => view.With(view.Layout.Slice(axis, first, count, out long offset), offset);
}
