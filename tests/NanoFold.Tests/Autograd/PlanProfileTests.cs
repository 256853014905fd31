using NanoFold.Engine.Autograd;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

public class PlanProfileTests : EngineTests
{
    private static readonly (string, int[])[] s_parameters = [("x", [32, 16]), ("w1", [24, 16]), ("w2", [16, 24])];

    // Bytes of the hidden values [32, 24] and of the result [32, 16]; a loss takes the least that there is.
    private const int Hidden = 32 * 24 * 4, Result = 32 * 16 * 4, Loss = 256;

    [Test]
    public void PhasesAreThoseCountedByHand()
    {
        using RecordedFunction function = FeedForward();
        var tape = new Tape(function.Store.Backend, training: true);
        function.Record(tape);
        var plan = new Plan(tape);
        PlanProfile profile = plan.Profile();

        // Forward ends with all of it, and scratch of the result's size for the loss. Backward, the result is gone once its gradient is there, and the second product makes its input's.
        Assert.That(profile.Forward, Is.EqualTo(new PlanPeak(Hidden + Hidden + Result + Result + Loss, "dot")));
        Assert.That(profile.Backward, Is.EqualTo(new PlanPeak(Hidden + Hidden + Loss + Result + Hidden, "feed: linear backward")));
        Assert.That(profile.Largest, Is.EquivalentTo(new[]
        {
            new PlanHolding("linear", 1, Hidden), new PlanHolding("gelu", 1, Hidden), new PlanHolding("gradient of gelu", 1, Hidden),
            new PlanHolding("gradient of linear", 1, Result), new PlanHolding("dot", 1, Loss),
        }));
        Assert.That(profile.Largest.Select(h => h.Bytes), Is.Ordered.Descending);
    }

    [Test]
    public void APassWithoutGradientsHasNoBackward()
    {
        using RecordedFunction function = FeedForward();
        var tape = new Tape(function.Store.Backend);
        function.Record(tape);
        PlanProfile profile = new Plan(tape).Profile();

        Assert.That(profile.Backward, Is.Null);
        // A product's input dies with it.
        Assert.That(profile.Forward.Bytes, Is.EqualTo(Hidden + Hidden + Loss));
        Assert.That(profile.Largest.Sum(h => h.Bytes), Is.EqualTo(profile.Forward.Bytes));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void WhatIsInUseFitsTheArena(bool recompute)
    {
        using var model = new TinyModel(ModelVariants.Base with { Layers = 4 }, Backend());
        var plan = new Plan(model.TrainingTape(), recompute);
        PlanProfile profile = plan.Profile();

        long most = Math.Max(profile.Forward.Bytes, profile.Backward!.Bytes);
        Assert.That(profile.Largest.Sum(h => h.Bytes), Is.EqualTo(most));
        Assert.That(plan.ArenaBytes, Is.InRange(most, 1.25 * most));
    }

    [Test]
    public void RecomputationHoldsLess()
    {
        using var model = new TinyModel(ModelVariants.Base with { Layers = 4 }, Backend());
        PlanProfile kept = new Plan(model.TrainingTape()).Profile(), recomputed = new Plan(model.TrainingTape(), recompute: true).Profile();

        Assert.That(recomputed.Forward.Bytes, Is.LessThan(kept.Forward.Bytes));
    }

    private RecordedFunction FeedForward() => new(Backend(), DType.Float32, s_parameters, (tape, p) =>
    {
        using Tape.Scope scope = tape.Enter("feed");
        return LinearOp.Record(tape, ActivationOp<Gelu>.Record(tape, LinearOp.Record(tape, p("x"), p("w1"))), p("w2"));
    });
}
