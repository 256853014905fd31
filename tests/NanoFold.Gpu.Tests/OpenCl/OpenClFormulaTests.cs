using NanoFold.Kernels;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Formulas on an OpenCL device, on a processor by vectors of sixteen: their functions beside double precision, and operands that lie in every way.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClFormulaTests : GpuTests
{
    private const double Bit = 1.0 / (1 << 23);

    // Nine errors of rounding and what a polynomial leaves; erfc has its exponential's too.
    [TestCase(Function.Exp, -87.3, 88.7, 1 * Bit)]
    [TestCase(Function.Tanh, -12, 12, 4 * Bit)]
    [TestCase(Function.Log, 1e-3, 1e3, 4 * Bit)]
    [TestCase(Function.Erfc, -4, 4, 40 * Bit)]
    [TestCase(Function.Sqrt, 0, 1e6, 1 * Bit)]
    public void FunctionsAreNearThoseInDoublePrecision(Function function, double from, double to, double tolerance)
    {
        using var memory = new Memory(Gpu);
        const int Count = 20_011;
        float[] x = [.. Enumerable.Range(0, Count).Select(i => (float)(from + (to - from) * i / (Count - 1)))];
        View input = memory.New(DType.Float32, [Count], x), y = memory.New(DType.Float32, Count);
        Gpu.Map(new Chosen(function), input, y);
        float[] actual = memory.Read(y);
        for (int i = 0; i < Count; i++)
        {
            double exact = Exact(function, x[i]), scale = function == Function.Log ? Math.Max(1, Math.Abs(exact)) : Math.Abs(exact);
            Assert.That(Math.Abs(actual[i] - exact), Is.LessThanOrEqualTo(tolerance * scale), $"{function}({x[i]:R}) is {actual[i]:R}, exactly {exact:R}");
        }
    }

    [Test]
    public void AnExponentialHasItsEnds()
    {
        using var memory = new Memory(Gpu);
        float[] x = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 89, -88, 0, -0f, BitConverter.Int32BitsToSingle(0x7fa00001), BitConverter.Int32BitsToSingle(-1)];
        View input = memory.New(DType.Float32, [x.Length], x), y = memory.New(DType.Float32, x.Length);
        Gpu.Map(new Chosen(Function.Exp), input, y);
        Assert.That(memory.Read(y), Is.EqualTo((float[])[float.NaN, float.PositiveInfinity, 0, float.PositiveInfinity, 0, 1, 1, float.NaN, float.NaN]));
    }

    /// <summary>Lines of every length beside sixteen; operands side by side, one for all, apart, and of lines that lie anywhere.</summary>
    [Test]
    public void OperandsLieInEveryWay([Values(1, 7, 8, 16, 33, 100)] int width, [Values] bool accumulate)
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin whole = twins.Random(DType.Float32, 1, 3, 5, 4, 2 * width), turned = twins.Random(DType.Float32, 2, width, 4, 5, 3), row = twins.Random(DType.Float32, 3, width);
        Twin y = twins.Random(DType.Float32, 4, 5, 3, 4, width + 3), z = twins.Random(DType.Float32, 5, 3, 5, 4, width), column = twins.Random(DType.Float32, 6, 3, 1, 4, 1);
        Twin part = y.Permute(1, 0, 2, 3).Slice(3, 2, width), a = whole.Slice(3, width / 2, width), b = turned.Permute(3, 2, 1, 0);
        Twin third = row.With(row.Layout.BroadcastTo(z.Layout)), fourth = column.With(column.Layout.BroadcastTo(z.Layout));
        Each((backend, of) => backend.Zip(default(Mixed), of(a), of(b), of(third), of(part), accumulate, of(z), !accumulate));
        twins.AssertClose(y, 1e-6);
        twins.AssertClose(z, 1e-6);
        Each((backend, of) => backend.Zip(default(Mixed), of(fourth), of(third), of(a), of(part), accumulate, of(z), accumulate));
        Each((backend, of) => backend.Zip(default(OpenClDeviceTests.Scaled), of(z), of(fourth), of(b)));
        twins.AssertClose(y, 1e-6);
        twins.AssertClose(z, 1e-6);
        twins.AssertClose(turned, 1e-6);
    }

    /// <summary>A value does not depend on its place, or on what is beside it.</summary>
    [Test]
    public void AnElementHasTheSameBitsAnywhere()
    {
        using var memory = new Memory(Gpu);
        View x = memory.Random(DType.Float32, 1, 9_000), y = memory.New(DType.Float32, 9_000), part = memory.New(DType.Float32, 29);
        Gpu.Map(new Chosen(Function.Tanh), x, y);
        float[] all = memory.Read(y);
        foreach (int first in (int[])[0, 5, 4090, 8971])
        {
            Gpu.Map(new Chosen(Function.Tanh), x.With(Layout.Of(29), first), part);
            Assert.That(memory.Read(part), Is.EqualTo(all[first..(first + 29)]));
        }
    }

    /// <summary>Numbers that a formula is made with are operands of one kernel.</summary>
    [Test]
    public void AFormulaOfOtherNumbersIsAnother()
    {
        using var memory = new Memory(Gpu);
        View x = memory.New(DType.Float32, [4], [1, 2, 3, 4]), y = memory.New(DType.Float32, 4);
        foreach (double factor in (double[])[2, -3, 0.5])
        {
            Gpu.Map(new Line(factor, 1), x, y);
            Assert.That(memory.Read(y), Is.EqualTo(Enumerable.Range(1, 4).Select(i => (float)(factor * i + 1))));
        }
    }

    [Test]
    public void ASumOfOneTermIsTheTerm([Values] bool accumulate)
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin x = twins.Random(DType.Float32, 1, 3, 40, 4, 17), y = twins.Random(DType.Float32, 2, 3, 4, 40, 17);
        Each((backend, of) => backend.Sum(of(x.Permute(0, 2, 1, 3)), of(y), accumulate));
        twins.AssertSame(y);
    }

    [Test]
    public void CopiesKeepEveryBit([Values] bool isTurned)
    {
        int[] values = [.. Enumerable.Range(0, 24 * 20).Select(i => unchecked((int)(0x7f800001u + (uint)i * 0x9e3779b9u)))];
        values[0] = 0x7fa00001;
        using var memory = new Memory(Gpu);
        View x = memory.Integers([24, 20], values), y = memory.Integers([20, 24], new int[values.Length]);
        Layout turned = x.Layout.Permute(1, 0);
        Gpu.Copy(isTurned ? x.With(turned) : x, isTurned ? y : y.With(x.Layout));
        int[] copied = new int[values.Length];
        Gpu.Download(y, copied.AsSpan());
        Assert.That(copied, Is.EqualTo(isTurned ? [.. Enumerable.Range(0, 480).Select(i => values[i % 24 * 20 + i / 24])] : values));
    }

    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();

    private static double Exact(Function function, double x) => function switch
    {
        Function.Exp => Math.Exp(x),
        Function.Tanh => Math.Tanh(x),
        Function.Log => Math.Log(x),
        Function.Erfc => DoubleMath.Erfc(x),
        _ => Math.Sqrt(x),
    };

    private void Each(Action<Backend, Func<Twin, View>> call)
    {
        call(Gpu, twin => twin.Gpu);
        call(Cpu, twin => twin.Cpu);
    }

    public enum Function
    {
        Exp,
        Tanh,
        Log,
        Erfc,
        Sqrt,
    }

    internal readonly struct Chosen(Function function) : IUnaryOp
    {
        public V Invoke<V>(V a)
            where V : struct, ILane<V>
            => function switch
            {
                Function.Exp => V.Exp(a),
                Function.Tanh => V.Tanh(a),
                Function.Log => V.Log(a),
                Function.Erfc => V.Erfc(a),
                _ => V.Sqrt(a),
            };
    }

    internal readonly struct Mixed : IPairOp
    {
        public V Invoke<V>(V a, V b, V c, out V z)
            where V : struct, ILane<V>
        {
            z = V.Max(a, b) - V.Min(b, c) / (V.Abs(a) + V.Constant(2));
            return V.MultiplyAdd(-a, b, V.SelectGreater(c, a, V.Tanh(b), V.Sqrt(V.Abs(c))));
        }
    }

    internal readonly struct Line(double slope, double start) : IUnaryOp
    {
        public V Invoke<V>(V a)
            where V : struct, ILane<V>
            => V.MultiplyAdd(a, V.Constant(slope), V.Constant(start));
    }
}
