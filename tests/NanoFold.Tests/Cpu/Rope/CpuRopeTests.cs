using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Rope;

namespace NanoFold.Tests.Cpu.Rope;

[TestFixture]
public sealed class CpuRopeTests
{
    [Test]
    public void MatchesTheReference(
        [ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool interleaved, [Values] bool inverse, [Values] bool accumulate)
    {
        using var context = new CpuContext(1, path.Isa);
        var rope = new CpuRope(context);
        foreach (int headDim in new[] { 2, 4, 6, 8, 10, 16, 18, 30, 32, 34, 64, 66, 130 })
        {
            const int Batch = 2, Time = 3, Heads = 2;
            int count = Batch * Time * Heads * headDim;
            using Operand x = Operand.Heads(path.Type, Batch, Time, Heads, headDim, Operand.Random(headDim, count));
            using var y = new Operand(path.Type, [Batch, Time, Heads, headDim], Operand.Random(headDim + 1, count));
            using var table = new Operand(path.Type, [9, headDim], Table(9, headDim));
            using var positions = new Operand(DType.Int32, [Batch], [4, 1]);
            double[] expected = Reference(x.Values, table.Values, [4, 1], Time, Heads, headDim, interleaved, inverse, accumulate ? y.Values : null);
            rope.Run(new RopeCall(x.View, y.View, table.View, positions.View, interleaved, inverse, accumulate));
            RowAssert.Close(y.Values, expected, path.Tolerance, $"head of {headDim}");
            foreach (Operand operand in new[] { x, y, table, positions })
            {
                operand.AssertGuards();
            }
        }
    }

    [Test]
    public void TurnsInPlaceAndBack([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool interleaved)
    {
        using var context = new CpuContext(1, path.Isa);
        var rope = new CpuRope(context);
        using Operand x = Operand.Heads(path.Type, 2, 5, 3, 14, Operand.Random(1, 420));
        using var y = new Operand(path.Type, [2, 5, 3, 14]);
        using var table = new Operand(path.Type, [5, 14], Table(5, 14));
        double[] before = x.Values;
        rope.Run(new RopeCall(x.View, y.View, table.View, default, interleaved, false, false));
        rope.Run(new RopeCall(x.View, x.View, table.View, default, interleaved, false, false));
        Assert.That(x.Values, Is.EqualTo(y.Values));
        Assert.That(x.Values, Is.Not.EqualTo(before));
        rope.Run(new RopeCall(x.View, x.View, table.View, default, interleaved, true, false));
        RowAssert.Close(x.Values, before, path.Tolerance, "turned back");
        x.AssertGuards();
    }

    [Test]
    public void TheInverseIsTheGradient([Values] bool interleaved)
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var rope = new CpuRope(context);
        int[] shape = [1, 3, 2, 6];
        using var x = new Operand(DType.Float64, shape, Operand.Random(1, 36));
        using var y = new Operand(DType.Float64, shape);
        using var dy = new Operand(DType.Float64, shape, Operand.Random(2, 36));
        using var dx = new Operand(DType.Float64, shape);
        using var table = new Operand(DType.Float64, [3, 6], Table(3, 6));
        rope.Run(new RopeCall(dy.View, dx.View, table.View, default, interleaved, true, false));
        RowAssert.Gradient(
            x,
            dx.Values,
            () =>
            {
                rope.Run(new RopeCall(x.View, y.View, table.View, default, interleaved, false, false));
                return RowAssert.Dot(y.Values, dy.Values);
            },
            "dx");
    }

    [Test]
    public void TokensBehindTheTableTakeItsLastRow()
    {
        using var context = new CpuContext(1, Isa.Vector256);
        var rope = new CpuRope(context);
        using var x = new Operand(DType.Float32, [1, 4, 1, 8], Operand.Random(1, 32));
        using var y = new Operand(DType.Float32, [1, 4, 1, 8]);
        using var table = new Operand(DType.Float32, [6, 8], Table(6, 8));
        using var positions = new Operand(DType.Int32, [1], [4]);
        rope.Run(new RopeCall(x.View, y.View, table.View, positions.View, false, false, false));
        double[] clamped = [.. Enumerable.Range(0, 4).SelectMany(t => Reference(x.Values[(t * 8)..(t * 8 + 8)], table.Values, [Math.Min(4 + t, 5)], 1, 1, 8, false, false, null))];
        RowAssert.Close(y.Values, clamped, 4e-6, "y");
    }

    [Test]
    public void ThreadsGiveTheSameBitsAndAllocateNothing([Values] bool interleaved)
    {
        byte[]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 7 })
        {
            using var context = new CpuContext(threads, Isa.Vector256);
            var rope = new CpuRope(context);
            using var x = new Operand(DType.Float32, [2, 200, 4, 34], Operand.Random(1, 54400));
            using var y = new Operand(DType.Float32, [2, 200, 4, 34]);
            using var table = new Operand(DType.Float32, [200, 34], Table(200, 34));
            rope.Run(new RopeCall(x.View, y.View, table.View, default, interleaved, false, false));
            first ??= y.Bytes;
            RowAssert.SameBits([y.Bytes], [first]);
            if (threads <= 2)
            {
                RowAssert.AllocatesNothing(() => rope.Run(new RopeCall(x.View, y.View, table.View, default, interleaved, false, true)));
            }
        }
    }

    [Test]
    public void NamesWhatDoesNotFit()
    {
        using var context = new CpuContext(1, Isa.Scalar);
        var rope = new CpuRope(context);
        using var x = new Operand(DType.Float32, [1, 4, 1, 8]);
        using var odd = new Operand(DType.Float32, [1, 4, 1, 7]);
        using var table = new Operand(DType.Float32, [3, 8]);
        using var positions = new Operand(DType.Int32, [1], [-2]);
        Assert.Multiple(() =>
        {
            Assert.That(() => rope.Run(new RopeCall(odd.View, odd.View, table.View, default, false, false, false)), Throws.ArgumentException.With.Message.StartsWith("rope: x is Float32[1, 4, 1, 7], expected an even"));
            Assert.That(() => rope.Run(new RopeCall(x.View, x.View, table.View, default, false, false, false)), Throws.ArgumentException.With.Message.StartsWith("rope: table is Float32[3, 8]"));
            Assert.That(() => rope.Run(new RopeCall(x.View, odd.View, table.View, default, false, false, false)), Throws.ArgumentException.With.Message.StartsWith("rope: y is"));
            Assert.That(() => rope.Run(new RopeCall(x.View, x.View, table.View, positions.View, false, false, false)), Throws.ArgumentException.With.Message.Contains("positions of row 0 is -2"));
        });
    }

    private static double[] Table(int positions, int headDim)
    {
        var table = new double[positions * headDim];
        for (int p = 0; p < positions; p++)
        {
            for (int i = 0; i < headDim / 2; i++)
            {
                double angle = p * Math.Pow(10000, -2.0 * i / headDim);
                table[p * headDim + i] = Math.Cos(angle);
                table[p * headDim + headDim / 2 + i] = Math.Sin(angle);
            }
        }

        return table;
    }

    private static double[] Reference(
        double[] x, double[] table, int[] first, int time, int heads, int headDim, bool interleaved, bool inverse, double[]? added)
    {
        var y = new double[x.Length];
        for (int start = 0; start < x.Length; start += headDim)
        {
            int token = start / (heads * headDim);
            int position = first[token / time] + token % time;
            for (int i = 0; i < headDim / 2; i++)
            {
                int a = start + (interleaved ? 2 * i : i), b = start + (interleaved ? 2 * i + 1 : i + headDim / 2);
                var turned = new System.Numerics.Complex(x[a], x[b])
                    * new System.Numerics.Complex(table[position * headDim + i], table[position * headDim + headDim / 2 + i] * (inverse ? -1 : 1));
                y[a] = turned.Real + (added?[a] ?? 0);
                y[b] = turned.Imaginary + (added?[b] ?? 0);
            }
        }

        return y;
    }
}
