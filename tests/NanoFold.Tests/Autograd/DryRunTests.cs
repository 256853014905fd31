using NanoFold.Engine.Autograd;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

[Parallelizable]
public class DryRunTests : EngineTests
{
    // Cases of what is visible, or of what experts take.
    private static readonly string[] s_ofData = ["attention", "block-choice", "expert-capacity"];

    /// <summary>Every op, each of its two passes, with fused kernels and without.</summary>
    [Test]
    public void ADryRunCostsWhatARealRunCosts([Values] bool composedOnly)
    {
        Backend backend = Backend(composedOnly: composedOnly);
        int hidden = 0;
        foreach (OpCase opCase in OpCases.All)
        {
            var log = new EventLog(256);
            using var runner = new OpRunner(opCase, new ProfiledBackend(backend, log));
            if (runner.Ops.Contains("pattern-rows"))
            {
                // Computed on the host, of values that a dry run does not have.
                continue;
            }

            runner.Run();
            KernelCost Noted(Action pass)
            {
                log.Clear();
                log.IsOn = true;
                pass();
                log.IsOn = false;
                return log.Events.ToArray().Aggregate(default(KernelCost), (sum, noted) => sum + noted.Cost);
            }

            (KernelCost Forward, KernelCost Backward) dry = OpRunner.CostOf(opCase, backend), real = (Noted(runner.Forward), Noted(runner.Backward));
            if ((opCase.Inputs.Any(input => input.IsInteger) || opCase.Name.StartsWith("expert", StringComparison.Ordinal)) && s_ofData.Any(name => opCase.Name.Contains(name, StringComparison.Ordinal)))
            {
                // Documents, prefixes, blocks and routes are data: as if they hid nothing.
                Assert.That(real.Forward.Flops, Is.LessThanOrEqualTo(dry.Forward.Flops), opCase.Name);
                Assert.That(real.Backward.Flops, Is.LessThanOrEqualTo(dry.Backward.Flops), opCase.Name);
                Assert.That(real.Forward.Bytes, Is.LessThanOrEqualTo(dry.Forward.Bytes), opCase.Name);
                Assert.That(real.Backward.Bytes, Is.LessThanOrEqualTo(dry.Backward.Bytes), opCase.Name);
                hidden += real.Forward.Flops < dry.Forward.Flops ? 1 : 0;
                continue;
            }

            Assert.That(dry, Is.EqualTo(real), opCase.Name);
        }

        Assert.That(hidden, Is.Positive, "a real run of attention knows what is hidden");
    }

    [TestCase("linear [3, 5] x [7, 5]", 2 * 3 * 5 * 7, 4 * 3 * 5 * 7)]
    [TestCase("grouped-linear [13, 5] x [3, 7, 5]", 2 * 13 * 5 * 7, 4 * 13 * 5 * 7)]
    [TestCase("embedding [19, 7]", 0, 33 * 7)]
    public void FlopsAreThoseWorkedOutByHand(string name, double forward, double backward)
    {
        (KernelCost forwardCost, KernelCost backwardCost) = OpRunner.CostOf(OpCases.All.Single(c => c.Name == name));

        Assert.That((forwardCost.Flops, backwardCost.Flops), Is.EqualTo((forward, backward)));
    }

    [Test]
    public void WhatIsComputedAgainCostsAgain()
    {
        KernelCost Of(bool recompute)
        {
            using var dry = new DryRun();
            using var model = new TinyModel(ModelVariants.Base with { Layers = 4 }, dry.Backend);
            return dry.Of(new Plan(model.TrainingTape(), recompute)).Aggregate(default(KernelCost), (sum, call) => sum + call.Cost);
        }

        Assert.That((Of(true).Flops, Of(true).Bytes), Is.GreaterThan((Of(false).Flops, Of(false).Bytes)));
        Assert.That(Of(true).Bytes, Is.GreaterThan(Of(false).Bytes));
    }

    [Test]
    public void CallsBeyondTheLogsRoomAreCounted()
    {
        using var dry = new DryRun();
        var y = new View(dry.Backend.Allocate(12), 0, Layout.Of(3), DType.Float32);

        Assert.That(dry.Of(() => { for (int i = 0; i < 5000; i++) { dry.Backend.Fill(y, 1); } }), Is.EqualTo(new KernelCost(0, 5000 * 12)));
        Assert.That(dry.Of(() => dry.Backend.Fill(y, 1)), Is.EqualTo(new KernelCost(0, 12)), "the next count begins at nothing");
    }
}
