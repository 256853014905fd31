using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests;

public class HalfValuesTests
{
    [Test]
    public void BFloat16IsTheNearest()
    {
        var random = new Random(1);
        for (int i = 0; i < 100_000; i++)
        {
            float value = BitConverter.UInt32BitsToSingle((uint)random.NextInt64(0, 0x7F7F_0000) | (uint)(i % 2) << 31);
            float rounded = BFloat16.ToSingle(BFloat16.FromSingle(value));
            uint bits = BitConverter.SingleToUInt32Bits(value) & 0xFFFF_0000;
            double down = BitConverter.UInt32BitsToSingle(bits), up = BitConverter.UInt32BitsToSingle(bits + 0x1_0000);
            Assert.That(Math.Abs((double)rounded - value), Is.EqualTo(Math.Min(Math.Abs(down - value), Math.Abs(up - value))));
        }
    }

    [TestCase(0x3F80_8000u, 0x3F80)]
    [TestCase(0x3F81_8000u, 0x3F82)]
    [TestCase(0x3F80_8001u, 0x3F81)]
    [TestCase(0x7F7F_FFFFu, 0x7F80)]
    [TestCase(0x7F80_0000u, 0x7F80)]
    [TestCase(0xFF80_0000u, 0xFF80)]
    [TestCase(0x8000_0000u, 0x8000)]
    [TestCase(0x7F80_0001u, 0x7FC0)]
    [TestCase(0xFFFF_FFFFu, 0xFFFF)]
    public void TiesGoToEvenAndNaNStays(uint single, int expected)
        => Assert.That(BFloat16.FromSingle(BitConverter.UInt32BitsToSingle(single)), Is.EqualTo((ushort)expected));

    [TestCase(DType.Float32, 1.1f)]
    [TestCase(DType.Float64, 1.1f)]
    [TestCase(DType.BFloat16, 1.1015625f)]
    [TestCase(DType.Float16, 1.0996094f)]
    public void HostValuesAreFloats(DType type, float expected)
    {
        using var backend = new CpuBackend(1);
        using DeviceBuffer buffer = backend.Allocate(64);
        var view = new View(buffer, 1, Layout.Of(2), type);
        backend.Write([1.1f, -3], view);
        var values = new float[2];
        backend.Read(view, values);
        Assert.That(values, Is.EqualTo(new[] { expected, -3 }));
        Assert.That(() => backend.Read(view.As(DType.Int32, Layout.Of(2)), values), Throws.ArgumentException.With.Message.Contains("expected a real type"));
        Assert.That(() => backend.Write(values, view.As(DType.Int32, Layout.Of(2))), Throws.ArgumentException.With.Message.Contains("expected a real type"));
    }

    [Test]
    public void SizesAndSums()
    {
        Assert.That(Enum.GetValues<DType>().Where(type => !type.IsBlocks()).Select(type => type.Size()), Is.EqualTo(new[] { 4, 8, 4, 2, 2 }));
        Assert.That(Enum.GetValues<DType>().Where(type => type.IsBlocks()).Select(type => type.Bytes(64)), Is.EqualTo(new[] { 68, 36, 40 }));
        Assert.That(Enum.GetValues<DType>().Where(type => !type.IsBlocks()).Select(type => type.Sum()), Is.EqualTo(new[] { DType.Float32, DType.Float64, DType.Int32, DType.Float32, DType.Float32 }));
        Assert.That(Enum.GetValues<DType>().Where(type => type.Is16Bit()), Is.EqualTo(new[] { DType.BFloat16, DType.Float16 }));
        Assert.That(Enum.GetValues<DType>().Where(type => !type.IsReal()), Is.EqualTo(new[] { DType.Int32 }));
    }
}
