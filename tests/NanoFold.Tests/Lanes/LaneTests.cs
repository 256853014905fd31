using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Tests.Lanes;

[TestFixture(typeof(Lane1))]
[TestFixture(typeof(Lane4))]
[TestFixture(typeof(Lane8))]
[TestFixture(typeof(Lane16))]
public unsafe class LaneTests<V>
    where V : struct, ICpuLane<V>
{
    private static readonly float[] s_special =
    [
        0, -0f, 1, -1, float.Epsilon, -float.Epsilon, 1e-40f, 1.17549435e-38f, float.MaxValue, float.MinValue,
        float.PositiveInfinity, float.NegativeInfinity, float.NaN, 88.722839f, 88.72284f, 88.73f, -87.33f, -87.336f, -87.3365f, -87.33654f, -87.33655f, -87.337f, -87.4f, -103.9f, -103.98f, -104, -150, 89, 100, 0.5f, 1.4142135f, 0.70710678f,
    ];

    [Test]
    public void ExpOverTheWholeRange()
    {
        double worst = 0;
        foreach (float[] block in Blocks(Floats(stride: 4099).Concat(Enumerable.Range(0, 200).SelectMany(i => new[] { 88.7228f + i * 1e-6f, -87.3365f - i * 1e-6f })).Where(x => Math.Abs(x) < 110)))
        {
            float[] y = Apply(V.Exp, block);
            for (int i = 0; i < block.Length; i++)
            {
                double exact = Math.Exp(block[i]);
                if (exact > float.MaxValue || exact < 1.17549435e-38)
                {
                    // No subnormal results.
                    Assert.That(y[i], Is.EqualTo(exact > 1 ? float.PositiveInfinity : 0), $"exp {block[i]:R}");
                    continue;
                }

                worst = Math.Max(worst, Math.Abs(y[i] - exact) / exact);
            }
        }

        Assert.That(worst, Is.LessThan(1.0 / (1 << 23)));
    }

    [Test]
    public void LogOverTheWholeRange()
    {
        double worst = 0;
        foreach (float[] block in Blocks(Floats(stride: 4099).Where(x => x > 0)))
        {
            float[] y = Apply(V.Log, block);
            for (int i = 0; i < block.Length; i++)
            {
                double exact = Math.Log(block[i]);
                worst = Math.Max(worst, Math.Abs(y[i] - exact) / Math.Max(1, Math.Abs(exact)));
            }
        }

        Assert.That(worst, Is.LessThan(1.0 / (1 << 22)));
    }

    [Test]
    public void LogNearOneIsExactToItsOwnSize()
    {
        foreach (float[] block in Blocks(Enumerable.Range(-1000, 2001).Select(i => 1 + i * 1e-6f)))
        {
            float[] y = Apply(V.Log, block);
            for (int i = 0; i < block.Length; i++)
            {
                double exact = Math.Log(block[i]);
                Assert.That(y[i], Is.EqualTo(exact).Within(1e-6 * Math.Abs(exact)), $"log {block[i]:R}");
            }
        }
    }

    [Test]
    public void SpecialValues()
    {
        (float X, float Exp, float Log)[] cases =
        [
            (float.NegativeInfinity, 0, float.NaN),
            (float.PositiveInfinity, float.PositiveInfinity, float.PositiveInfinity),
            (float.NaN, float.NaN, float.NaN),
            (0, 1, float.NegativeInfinity),
            (-0f, 1, float.NegativeInfinity),
            (-1, MathF.Exp(-1), float.NaN),
            (1e30f, float.PositiveInfinity, MathF.Log(1e30f)),
            (float.MaxValue, float.PositiveInfinity, MathF.Log(float.MaxValue)),
            (float.MinValue, 0, float.NaN),
            (float.Epsilon, 1, MathF.Log(float.Epsilon)),
            (1e-40f, 1, MathF.Log(1e-40f)),
        ];
        foreach ((float x, float exp, float log) in cases)
        {
            Assert.That(Apply(V.Exp, [x])[0], Is.EqualTo(exp).Within(1).Ulps, $"exp {x}");
            Assert.That(Apply(V.Log, [x])[0], Is.EqualTo(log).Within(1).Ulps, $"log {x}");
        }
    }

    [Test]
    public void ErfcOverTheWholeRange()
    {
        foreach (float[] block in Blocks(Enumerable.Range(-6000, 15201).Select(i => i * 1e-3f)))
        {
            float[] y = Apply(V.Erfc, block);
            for (int i = 0; i < block.Length; i++)
            {
                // The square of x is rounded before its exponential is taken.
                double x = block[i], exact = LaneDouble.Erfc(new(x)).Value;
                Assert.That(y[i], Is.EqualTo(exact).Within((4e-7 + 1.5e-7 * x * x) * exact), $"erfc {block[i]:R}");
            }
        }

        float[] special = Apply(V.Erfc, [float.NegativeInfinity, float.PositiveInfinity, float.NaN, 12]);
        Assert.That(special, Is.EqualTo(new[] { 2, 0, float.NaN, 0 }));
    }

    [Test]
    public void EveryLaneHasTheBitsOfTheScalarOne()
    {
        IEnumerable<float> values = s_special.Concat(Floats(stride: 100_003));
        foreach (float[] block in Blocks(values))
        {
            AssertSameBits(Apply(V.Exp, block), Scalar(Lane1.Exp, block), block, "exp");
            AssertSameBits(Apply(V.Log, block), Scalar(Lane1.Log, block), block, "log");
            AssertSameBits(Apply(V.Erfc, block), Scalar(Lane1.Erfc, block), block, "erfc");
            AssertSameBits(Apply(V.Sqrt, block), Scalar(Lane1.Sqrt, block), block, "sqrt");
            AssertSameBits(Apply(V.Abs, block), Scalar(Lane1.Abs, block), block, "abs");
            AssertSameBits(Apply(x => -x, block), Scalar(x => -x, block), block, "negation");
        }
    }

    [Test]
    public void ArithmeticOfPairs()
    {
        foreach (float b in s_special)
        {
            V vb = V.Constant(b);
            var sb = new Lane1(b);
            AssertSameBits(Apply(x => x + vb, s_special), Scalar(x => x + sb, s_special), s_special, $"+ {b}");
            AssertSameBits(Apply(x => x - vb, s_special), Scalar(x => x - sb, s_special), s_special, $"- {b}");
            AssertSameBits(Apply(x => x * vb, s_special), Scalar(x => x * sb, s_special), s_special, $"* {b}");
            AssertSameBits(Apply(x => x / vb, s_special), Scalar(x => x / sb, s_special), s_special, $"/ {b}");
            AssertSameBits(Apply(x => V.Max(x, vb), s_special), Scalar(x => Lane1.Max(x, sb), s_special), s_special, $"max {b}");
            AssertSameBits(Apply(x => V.Min(x, vb), s_special), Scalar(x => Lane1.Min(x, sb), s_special), s_special, $"min {b}");
            AssertSameBits(Apply(x => V.MultiplyAdd(x, vb, x), s_special), Scalar(x => Lane1.MultiplyAdd(x, sb, x), s_special), s_special, $"multiply-add {b}");
            AssertSameBits(Apply(x => V.SelectGreater(x, vb, vb, x), s_special), Scalar(x => Lane1.SelectGreater(x, sb, sb, x), s_special), s_special, $"select {b}");
        }
    }

    [Test]
    public void PartsTouchNothingElse()
    {
        for (int count = 0; count <= V.Width; count++)
        {
            // The source ends with the part.
            float[] source = Enumerable.Range(1, 3 + count).Select(i => (float)i).ToArray();
            float[] target = Enumerable.Repeat(-1f, V.Width + 8).ToArray(), whole = new float[V.Width];
            fixed (float* from = source, to = target, all = whole)
            {
                V value = V.LoadPart(from, 3, count);
                V.Store(all, 0, value);
                V.StorePart(to, 2, count, value);
            }

            Assert.That(whole, Is.EqualTo(Enumerable.Range(0, V.Width).Select(i => i < count ? i + 4f : 0)), $"load {count}");
            Assert.That(target, Is.EqualTo(Enumerable.Range(0, V.Width + 8).Select(i => i >= 2 && i < 2 + count ? i + 2f : -1f)), $"store {count}");
        }
    }

    [Test]
    public void AcrossTheLane()
    {
        float[] values = Enumerable.Range(0, V.Width).Select(i => (float)((i * 7 + 3) % 16 - 8)).ToArray();
        fixed (float* p = values)
        {
            V value = V.Load(p, 0);
            Assert.That(V.Sum(value), Is.EqualTo(values.Sum()));
            Assert.That(V.Largest(value), Is.EqualTo(values.Max()));
            Assert.That(Elements(V.Splat(p, V.Width - 1)), Is.All.EqualTo(values[^1]));
        }
    }

    private static IEnumerable<float> Floats(uint stride)
    {
        for (ulong bits = 0; bits <= uint.MaxValue; bits += stride)
        {
            yield return BitConverter.UInt32BitsToSingle((uint)bits);
        }
    }

    private static IEnumerable<float[]> Blocks(IEnumerable<float> values) => values.Chunk(4096);

    private static float[] Apply(Func<V, V> f, float[] x)
    {
        var y = new float[x.Length];
        fixed (float* px = x, py = y)
        {
            for (int i = 0; i < x.Length; i += V.Width)
            {
                int count = Math.Min(V.Width, x.Length - i);
                V.StorePart(py, i, count, f(V.LoadPart(px, i, count)));
            }
        }

        return y;
    }

    private static float[] Scalar(Func<Lane1, Lane1> f, float[] x) => x.Select(v => f(new Lane1(v)).Value).ToArray();

    private static float[] Elements(V value)
    {
        var result = new float[V.Width];
        MemoryMarshal.Cast<V, float>(MemoryMarshal.CreateSpan(ref Unsafe.AsRef(ref value), 1)).CopyTo(result);
        return result;
    }

    private static void AssertSameBits(float[] actual, float[] expected, float[] x, string what)
    {
        for (int i = 0; i < x.Length; i++)
        {
            bool same = BitConverter.SingleToInt32Bits(actual[i]) == BitConverter.SingleToInt32Bits(expected[i]) || (float.IsNaN(actual[i]) && float.IsNaN(expected[i]));
            if (!same)
            {
                Assert.Fail($"{what} of {x[i]:R}: {actual[i]:R}, the scalar lane has {expected[i]:R}");
            }
        }
    }
}
