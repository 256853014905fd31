using NanoFold.Gpu.Tests.Gemm;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Acceptance;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Acceptance;

/// <summary>What a card is asked, asked of the machine that the kernels were proved on.</summary>
[Parallelizable]
internal sealed class CardCheckTests
{
    [TestCaseSource(nameof(Checks))]
    public void TheMachineDoesAsItIsWritten(CardCheck check)
    {
        using var device = new MachineDevice { Architecture = check.Architecture, IsWatched = true };
        CheckResult result = check.Run(device);
        Assert.That(result.Difference, Is.Null);
        Assert.That(result.Holds, Is.True);
    }

    [Test]
    public void NamesAreFilesAndNoneComesTwice()
        => Assert.That(CardCheck.All.Select(c => c.Name), Is.Unique.And.All.Match("^[a-z0-9.-]+$"));

    [Test]
    public void AMapWithoutItsSwizzleIsSeenByEveryCheckOfIt()
    {
        Assert.Multiple(() =>
        {
            foreach (CardCheck check in CardCheck.All.Where(c => c.Name.StartsWith("box", StringComparison.Ordinal) || c.Name.StartsWith("warpgroup", StringComparison.Ordinal)))
            {
                using var device = new MachineDevice { Architecture = check.Architecture, IsWatched = true, EditMap = Unswizzled };
                Assert.That(check.Run(device).Holds, Is.False, check.Name);
            }
        });
    }

    [TestCase("mbarrier.arrive.shared::cta.b64", "a stage to be read")]
    [TestCase("cp.async.bulk.tensor.2d.shared::cluster", "a stage to be filled")]
    public void AWatchedKernelThatWouldHangSaysWhatItWaitsFor(string removed, string what)
    {
        using var device = new MachineDevice { Architecture = 90, IsWatched = true, Schedule = new PtxSchedule { Seed = 1 }, Edit = text => Without(text, removed) };
        CardCheck check = CardCheck.All.First(c => c.Name == "product-wgmma-nt-152x200x264-to-f32");
        Assert.That(() => check.Run(device), Throws.InvalidOperationException.With.Message.Contains("trap"));
        var written = new byte[PtxWatch.Bytes];
        device.Read(device.Watch, written);
        Assert.That(PtxWatch.Read(written, device.Waits), Does.Contain($"of block 0 waited two seconds for {what}"));
    }

    [Test]
    public void WhatWasNotWrittenSaysNothing() => Assert.That(PtxWatch.Read(new byte[PtxWatch.Bytes], ["something"]), Is.Null);

    [Test]
    public void ADifferenceIsNamed()
    {
        Assert.Multiple(() =>
        {
            Assert.That(new CheckResult([1, 2, 3], [1, 5, 4]).Difference, Is.EqualTo("2 of 3 bytes differ, the first is 1: 5, expected 2"));
            Assert.That(new CheckResult([1, 2, 3], [1, 2]).Difference, Is.EqualTo("2 bytes, expected 3"));
            Assert.That(new CheckResult([1], [1]).Difference, Is.Null);
        });
    }

    private static IEnumerable<TestCaseData> Checks() => CardCheck.All.Select(c => new TestCaseData(c).SetArgDisplayNames(c.Name));

    private static TensorMap Unswizzled(TensorMap map)
    {
        (TensorMapShape shape, _) = Ptx.Hopper.FakeTensorMap.Decode(map);
        return Ptx.Hopper.FakeTensorMap.Encode(shape, swizzles: false);
    }

    private static string Without(string text, string opcode)
        => string.Join('\n', text.Split('\n').Where(line => !line.Contains(opcode, StringComparison.Ordinal)));
}
