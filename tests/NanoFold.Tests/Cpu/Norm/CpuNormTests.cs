using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Norm;

namespace NanoFold.Tests.Cpu.Norm;

[TestFixture]
public sealed class CpuNormTests
{
    private const double Epsilon = 1e-5;

    private static readonly int[] s_widths = [1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100, 127, 128, 129, 255, 256, 257, 2050];

    [Test]
    public void MatchesTheReference([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool centered, [Values] bool affine)
    {
        foreach (int width in s_widths)
        {
            Check(path, centered, affine, accumulate: width % 2 == 1, [width > 300 ? 1 : 5, width], RowKind.Contiguous);
        }
    }

    [Test]
    public void TakesHeadsOfAProjection([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool centered)
    {
        Check(path, centered, affine: true, accumulate: false, [2, 5, 3, 8], RowKind.Heads);
        Check(path, centered, affine: true, accumulate: true, [3, 4, 2, 13], RowKind.Heads);
        Check(path, centered, affine: true, accumulate: true, [2, 3, 4, 9], RowKind.Permuted);
    }

    [Test]
    public void SumsManyRows([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool centered)
        => Check(path, centered, affine: true, accumulate: false, [5000, 6], RowKind.Contiguous);

    [Test]
    public void GradientsAgreeWithDifferences([Values] bool centered, [Values] bool affine)
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var norm = new CpuNorm(context);
        const DType type = DType.Float64;
        int[] shape = [4, 7];
        using var x = new Operand(type, shape, Operand.Random(1, 28));
        using var gain = new Operand(type, [7], Operand.Random(2, 7));
        using var bias = new Operand(type, [7], Operand.Random(3, 7));
        using var y = new Operand(type, shape);
        using var statistics = new Operand(type, [4, centered ? 2 : 1]);
        using var dy = new Operand(type, shape, Operand.Random(4, 28));
        using var dx = new Operand(type, shape);
        using var dGain = new Operand(type, [7]);
        using var dBias = new Operand(type, [7]);
        using var scratch = new Operand(type, [(int)norm.ScratchBytes(new RmsNormBackwardCall { X = View.OfShape(Layout.Of(4, 7), type), DGain = View.OfShape(Layout.Of(7), type) }) / 8]);
        View gainView = affine ? gain.View : default;
        double Loss()
        {
            if (centered)
            {
                norm.Run(new LayerNormCall(x.View, gainView, affine ? bias.View : default, y.View, statistics.View, Epsilon));
            }
            else
            {
                norm.Run(new RmsNormCall(x.View, gainView, y.View, statistics.View, Epsilon));
            }

            return RowAssert.Dot(y.Values, dy.Values);
        }

        Loss();
        if (centered)
        {
            norm.Run(new LayerNormBackwardCall(x.View, gainView, statistics.View, dy.View, dx.View, false, affine ? dGain.View : default, affine ? dBias.View : default, scratch.View));
        }
        else
        {
            norm.Run(new RmsNormBackwardCall(x.View, gainView, statistics.View, dy.View, dx.View, false, affine ? dGain.View : default, scratch.View));
        }

        RowAssert.Gradient(x, dx.Values, Loss, "dx");
        if (affine)
        {
            RowAssert.Gradient(gain, dGain.Values, Loss, "dGain");
            if (centered)
            {
                RowAssert.Gradient(bias, dBias.Values, Loss, "dBias");
            }
        }
    }

    [Test]
    public void ThreadsGiveTheSameBits([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        byte[][] first = Run(1);
        foreach (int threads in new[] { 2, 3, 7 })
        {
            RowAssert.SameBits(Run(threads), first);
        }

        byte[][] Run(int threads)
        {
            using var context = new CpuContext(threads, path.Isa);
            var norm = new CpuNorm(context);
            int[] shape = [2000, 33];
            using var x = new Operand(path.Type, shape, Operand.Random(1, 66000));
            using var y = new Operand(path.Type, shape);
            using var gain = new Operand(path.Type, [33], Operand.Random(2, 33));
            using var statistics = new Operand(path.Type, [2000, 2]);
            using var dGain = new Operand(path.Type, [33]);
            using var dBias = new Operand(path.Type, [33]);
            using var dx = new Operand(path.Type, shape);
            using var scratch = new Operand(DType.Int32, [(int)norm.ScratchBytes(new RmsNormBackwardCall { X = View.OfShape(Layout.Of(2000, 33), path.Type), DGain = View.OfShape(Layout.Of(33), path.Type) }) / 4]);
            norm.Run(new LayerNormCall(x.View, gain.View, default, y.View, statistics.View, Epsilon));
            norm.Run(new LayerNormBackwardCall(x.View, gain.View, statistics.View, y.View, dx.View, false, dGain.View, dBias.View, scratch.View));
            return [y.Bytes, statistics.Bytes, dx.Bytes, dGain.Bytes, dBias.Bytes];
        }
    }

    [Test]
    public void AllocatesNothing()
    {
        using var context = new CpuContext(2, Isa.Vector256);
        var norm = new CpuNorm(context);
        int[] shape = [2000, 33];
        using var x = new Operand(DType.Float32, shape, Operand.Random(1, 66000));
        using var y = new Operand(DType.Float32, shape);
        using var statistics = new Operand(DType.Float32, [2000, 1]);
        using var dGain = new Operand(DType.Float32, [33]);
        using var scratch = new Operand(DType.Float32, [(int)norm.ScratchBytes(new RmsNormBackwardCall { X = View.OfShape(Layout.Of(2000, 33), DType.Float32), DGain = View.OfShape(Layout.Of(33), DType.Float32) }) / 4]);
        RowAssert.AllocatesNothing(() =>
        {
            norm.Run(new RmsNormCall(x.View, default, y.View, statistics.View, Epsilon));
            norm.Run(new RmsNormBackwardCall(x.View, default, statistics.View, x.View, y.View, true, dGain.View, scratch.View));
        });
    }

    [Test]
    public void NamesWhatDoesNotFit()
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var norm = new CpuNorm(context);
        using var x = new Operand(DType.Float32, [2, 3]);
        using var y = new Operand(DType.Float32, [2, 4]);
        using var gain = new Operand(DType.Float32, [4]);
        using var statistics = new Operand(DType.Float32, [2, 1]);
        Assert.Multiple(() =>
        {
            Assert.That(() => norm.Run(new RmsNormCall(x.View, default, y.View, statistics.View, 0)), Throws.ArgumentException.With.Message.EqualTo("rms-norm: y is Float32[2, 4], expected Float32[2, 3]"));
            Assert.That(() => norm.Run(new RmsNormCall(x.View, gain.View, x.View, statistics.View, 0)), Throws.ArgumentException.With.Message.StartsWith("rms-norm: gain is Float32[4]"));
            Assert.That(() => norm.Run(new LayerNormCall(x.View, default, default, x.View, statistics.View, 0)), Throws.ArgumentException.With.Message.StartsWith("layer-norm: statistics is Float32[2, 1]"));
            Assert.That(() => norm.Run(new RmsNormCall(default, gain.View, x.View, statistics.View, 0)), Throws.ArgumentException.With.Message.EqualTo("rms-norm: x is missing"));
            Assert.That(
                () => norm.Run(new RmsNormBackwardCall(y.View, gain.View, statistics.View, y.View, y.View, false, gain.View, default)),
                Throws.ArgumentException.With.Message.StartsWith("rms-norm-backward: scratch is missing"));
        });
    }

    private enum RowKind
    {
        Contiguous,
        Heads,
        Permuted,
    }

    private static void Check(LanePath path, bool centered, bool affine, bool accumulate, int[] shape, RowKind kind)
    {
        using var context = new CpuContext(1, path.Isa);
        var norm = new CpuNorm(context);
        int width = shape[^1];
        int rows = shape.Aggregate(1, (product, length) => product * length) / width;
        int count = rows * width;
        Operand Make(double[]? values = null) => kind switch
        {
            RowKind.Heads => Operand.Heads(path.Type, shape[0], shape[1], shape[2], shape[3], values),
            RowKind.Permuted => new Operand(path.Type, Layout.Of(shape[0], shape[2], shape[1], shape[3]).Permute(0, 2, 1, 3), 0, values),
            _ => new Operand(path.Type, shape, values),
        };
        using Operand x = Make(Operand.Random(width, count)), y = Make(), dy = Make(Operand.Random(width + 1, count)), dx = Make(Operand.Random(width + 2, count));
        using var gain = new Operand(path.Type, [width], Operand.Random(width + 3, width));
        using var bias = new Operand(path.Type, [width], Operand.Random(width + 4, width));
        using var dGain = new Operand(path.Type, [width], Operand.Random(width + 5, width));
        using var dBias = new Operand(path.Type, [width], Operand.Random(width + 6, width));
        using var statistics = new Operand(path.Type, [rows, centered ? 2 : 1]);
        using var scratch = new Operand(path.Type, [(int)(norm.ScratchBytes(new RmsNormBackwardCall { X = View.OfShape(Layout.Of(rows, width), path.Type), DGain = View.OfShape(Layout.Of(width), path.Type) }) / path.Type.Size())]);
        var expected = new NormReference(x.Values, affine ? gain.Values : null, affine && centered ? bias.Values : null, dy.Values, width, Epsilon, centered);
        double[] dxBefore = accumulate ? dx.Values : new double[count], dGainBefore = dGain.Values, dBiasBefore = dBias.Values;
        View gainView = affine ? gain.View : default;
        if (centered)
        {
            norm.Run(new LayerNormCall(x.View, gainView, affine ? bias.View : default, y.View, statistics.View, Epsilon));
            norm.Run(new LayerNormBackwardCall(
                x.View, gainView, statistics.View, dy.View, dx.View, accumulate, affine ? dGain.View : default, affine ? dBias.View : default, scratch.View));
        }
        else
        {
            norm.Run(new RmsNormCall(x.View, gainView, y.View, statistics.View, Epsilon));
            norm.Run(new RmsNormBackwardCall(x.View, gainView, statistics.View, dy.View, dx.View, accumulate, affine ? dGain.View : default, scratch.View));
        }

        string what = $"width {width} ";
        // A row of width 1 or 2 has a variance near 0 now and then: its gradient is steep.
        double steep = path.Tolerance * Math.Max(1, expected.LargestInverse * expected.LargestInverse);
        RowAssert.Close(y.Values, expected.Y, steep, what + "y");
        RowAssert.Close(dx.Values, [.. expected.DX.Zip(dxBefore, (a, b) => a + b)], 4 * steep, what + "dx");
        if (affine)
        {
            double sum = path.Tolerance * Math.Sqrt(rows) * Math.Max(1, expected.LargestInverse);
            RowAssert.Close(dGain.Values, [.. expected.DGain.Zip(dGainBefore, (a, b) => a + b)], sum, what + "dGain");
            if (centered)
            {
                RowAssert.Close(dBias.Values, [.. expected.DBias.Zip(dBiasBefore, (a, b) => a + b)], sum, what + "dBias");
            }
        }

        foreach (Operand operand in new[] { x, y, dy, dx, gain, bias, dGain, dBias, statistics, scratch })
        {
            operand.AssertGuards();
        }
    }
}
