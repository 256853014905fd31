using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training;

public class MemoryCheckTests
{
    private static RunConfig Config(int batch)
    {
        RunConfig config = new ConfigTree("nano").Set("tokenizer=byte").Set($"train.batch={batch}").Build();
        return config.WithVocab(256);
    }

    [Test]
    public void WhatDoesNotFitADeviceNamesTheLargestBatchThatDoes()
    {
        using var cpu = new CpuBackend(1);
        long free = MemoryPlan.Of(Config(5), cpu).PeakBytes;
        using var device = new CountingBackend(cpu) { Free = free };
        MemoryCheck.Require(Config(5), device);
        UserException fault = Assert.Throws<UserException>(() => MemoryCheck.Require(Config(64), device))!;
        Assert.That(fault.Message, Does.StartWith("a training step: ").And.EndsWith("free; --batch 5 is the largest that fits"));
        Assert.That(device.AllocatedBytes, Is.Zero);
    }

    [Test]
    public void WhereNoBatchFitsItSaysWhatTakesLess()
    {
        using var cpu = new CpuBackend(1);
        using var device = new CountingBackend(cpu) { Free = MemoryPlan.Of(Config(1), cpu).PeakBytes - 1 };
        UserException fault = Assert.Throws<UserException>(() => MemoryCheck.Require(Config(2), device))!;
        Assert.That(fault.Message, Does.EndWith("a smaller --batch with train.accumulate, train.recompute=true or a smaller model takes less"));
    }
}
