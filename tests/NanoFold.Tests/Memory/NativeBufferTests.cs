using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Memory;

public unsafe class NativeBufferTests
{
    [TestCase(1L)]
    [TestCase(HugePages.Bytes - 1)]
    [TestCase(HugePages.Bytes)]
    [TestCase((3 * HugePages.Bytes) + 12_345)]
    public void MemoryIsZeroedAlignedAndWritableToItsLastByte(long bytes)
    {
        using var buffer = new NativeBuffer(bytes);
        Span<byte> span = buffer.Span<byte>();

        Assert.That(span.Length, Is.EqualTo(bytes));
        Assert.That(span.ContainsAnyExcept((byte)0), Is.False);
        Assert.That((long)buffer.Pointer % (HugePages.Pay(bytes) ? HugePages.Bytes : NativeBuffer.Alignment), Is.Zero);
        span.Fill(7);
        Assert.That(span[^1], Is.EqualTo(7));
    }

    [Test]
    public void HugePagesPayFromOneOn() =>
        Assert.That((HugePages.Pay(HugePages.Bytes - 1), HugePages.Pay(HugePages.Bytes)), Is.EqualTo((false, OperatingSystem.IsLinux())));
}
