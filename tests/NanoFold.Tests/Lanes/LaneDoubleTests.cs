using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Tests.Lanes;

public unsafe class LaneDoubleTests
{
    [Test]
    public void IsDoubleArithmetic([Values(-2.5, 0.1, 3.0)] double x, [Values(-1.0, 0.7)] double y)
    {
        LaneDouble a = new(x), b = new(y);
        Assert.Multiple(() =>
        {
            Assert.That((a + b).Value, Is.EqualTo(x + y));
            Assert.That((a - b).Value, Is.EqualTo(x - y));
            Assert.That((a * b).Value, Is.EqualTo(x * y));
            Assert.That((a / b).Value, Is.EqualTo(x / y));
            Assert.That((-a).Value, Is.EqualTo(-x));
            Assert.That(LaneDouble.MultiplyAdd(a, b, a).Value, Is.EqualTo(x * y + x));
            Assert.That(LaneDouble.Max(a, b).Value, Is.EqualTo(Math.Max(x, y)));
            Assert.That(LaneDouble.Min(a, b).Value, Is.EqualTo(Math.Min(x, y)));
            Assert.That(LaneDouble.Abs(a).Value, Is.EqualTo(Math.Abs(x)));
            Assert.That(LaneDouble.Sqrt(LaneDouble.Abs(a)).Value, Is.EqualTo(Math.Sqrt(Math.Abs(x))));
            Assert.That(LaneDouble.Exp(a).Value, Is.EqualTo(Math.Exp(x)));
            Assert.That(LaneDouble.Log(LaneDouble.Abs(a)).Value, Is.EqualTo(Math.Log(Math.Abs(x))));
            Assert.That(LaneDouble.SelectGreater(a, b, a, b).Value, Is.EqualTo(x > y ? x : y));
            Assert.That(LaneDouble.Constant(x).Value, Is.EqualTo(x));
            Assert.That(LaneDouble.Sum(a), Is.EqualTo(x));
            Assert.That(LaneDouble.Largest(a), Is.EqualTo(x));
            Assert.That(LaneDouble.Type, Is.EqualTo(DType.Float64));
        });
    }

    [TestCase(0, 1)]
    [TestCase(0.5, 0.47950012218695346)]
    [TestCase(1, 0.15729920705028513)]
    [TestCase(-1, 1.8427007929497149)]
    [TestCase(1.99999, 0.0046779416550342521)]
    [TestCase(2, 0.0046777349810472658)]
    [TestCase(3, 2.2090496998585441e-5)]
    [TestCase(-3, 1.9999779095030014)]
    [TestCase(5, 1.5374597944280349e-12)]
    [TestCase(10, 2.088487583762545e-45)]
    public void ErfcIsExactToRounding(double x, double erfc) => Assert.That(LaneDouble.Erfc(new(x)).Value, Is.EqualTo(erfc).Within(1e-13 * erfc));

    [Test]
    public void LoadsAndStores()
    {
        double* memory = stackalloc double[] { 1, 2, 3 };
        LaneDouble.Store(memory, 1, LaneDouble.Load(memory, 2));
        LaneDouble.StorePart(memory, 0, 0, new(9));
        LaneDouble.StorePart(memory, 2, 1, LaneDouble.Splat(memory, 0));
        Assert.That(new[] { memory[0], memory[1], memory[2] }, Is.EqualTo(new double[] { 1, 3, 1 }));
        Assert.That(LaneDouble.LoadPart(memory, 0, 0).Value, Is.Zero);
    }
}
