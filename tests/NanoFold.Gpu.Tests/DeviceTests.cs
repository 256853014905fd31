using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Gpu.Tests;

/// <summary>What a device says of its time and its memory.</summary>
public class DeviceTests : GpuTests
{
    [Test]
    public void MarksOfItsClockFollowEachOther()
    {
        using DeviceClock clock = Gpu.NewClock()!;
        using var memory = new Memory(Gpu);
        View y = memory.New(DType.Float32, 64);
        for (int round = 0; round < 2; round++)
        {
            clock.Clear();
            Assert.That(clock.Mark(), Is.Zero);
            Gpu.Fill(y, round);
            Assert.That(clock.Mark(), Is.EqualTo(1));
            Gpu.Fill(y, 1);
            Assert.That(clock.Mark(), Is.EqualTo(2));
            Assert.That((clock.Seconds(0), clock.Seconds(1) > 0, clock.Seconds(2) > clock.Seconds(1)), Is.EqualTo((0.0, true, true)));
        }
    }

    [Test]
    public void WhatIsAllocatedIsNotFreeUntilItIsDisposed()
    {
        if (Gpu.FreeBytes is null)
        {
            Assert.Ignore("a processor's memory is the host's");
        }

        const long Bytes = 64L << 20;
        long before = Gpu.FreeBytes!.Value;
        DeviceBuffer buffer = Gpu.Allocate(Bytes);
        Assert.That(before - Gpu.FreeBytes, Is.GreaterThanOrEqualTo(Bytes / 2));
        buffer.Dispose();
        buffer.Dispose();
        Assert.That(Gpu.FreeBytes, Is.GreaterThan(before - (Bytes / 2)));
    }
}
