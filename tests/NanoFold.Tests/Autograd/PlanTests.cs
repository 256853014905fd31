using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

public class PlanTests : EngineTests
{
    private static readonly (string, int[])[] s_parameters = [("x", [32, 16]), ("w1", [24, 16]), ("w2", [16, 24])];

    [Test]
    public void WhatTheArenaHeldBeforeDoesNotMatter()
    {
        using var model = new TinyModel(ModelVariants.Base with { Dropout = 0.1 }, Backend());
        var plan = new Plan(model.TrainingTape(), recompute: true);
        Backend backend = model.Store.Backend;
        using DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        var results = new List<double[]>();
        foreach (double value in new[] { 0, double.NaN, 1e30, double.NaN })
        {
            Host.Fill(backend, arena, value);
            backend.Fill(model.Store.AllGradients, 0);
            plan.Run();
            results.Add([.. model.Gradients(), .. plan.Tape.Losses.Select(loss => Host.Read(backend, plan[loss])[0])]);
        }

        Assert.That(results[0], Is.All.Matches<double>(double.IsFinite));
        results[1..].ForEach(r => Numbers.AssertSameBits(r, results[0], "another arena"));
    }

    [Test]
    public void PlansMayShareAnArena()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        Backend backend = model.Store.Backend;
        Plan first = new(model.TrainingTape()), second = new(model.TrainingTape(), recompute: true);
        using DeviceBuffer arena = backend.Allocate(Math.Max(first.ArenaBytes, second.ArenaBytes));
        first.Bind(arena);
        second.Bind(arena);
        var results = new List<double[]>();
        foreach (Plan plan in (Plan[])[first, second, first])
        {
            backend.Fill(model.Store.AllGradients, 0);
            plan.Run();
            results.Add(model.Gradients());
        }

        Numbers.AssertSameBits(results[1], results[0], "the second plan");
        Numbers.AssertSameBits(results[2], results[0], "the first plan again");
    }

    [Test]
    public void GradientsAddUpOverRuns()
    {
        using var function = new RecordedFunction(Backend(), DType.Float64, s_parameters, Feed);
        _ = function.Run();
        double[] once = function.Gradients();
        _ = function.Run();
        Numbers.AssertClose(function.Gradients(), [.. once.Select(g => 2 * g)], 1e-14, "two runs");
    }

    [TestCase(DType.Float64, 1e-13)]
    [TestCase(DType.Float32, 1e-5)]
    public void SmallBatchesAccumulateToOneLargeOne(DType type, double tolerance)
    {
        using var whole = new TinyModel(ModelVariants.Base, Backend(), type, batch: 4);
        (double loss, double[] gradients) = whole.Train();
        using var half = new TinyModel(ModelVariants.Base, Backend(), type, batch: 2);
        Backend backend = half.Store.Backend;
        using StepState state = backend.NewState();
        state.Set(StepSlot.TargetCount, (long)whole.Targets.Count(t => t >= 0));
        var owned = new List<IDisposable>();
        double sum = 0;
        for (int part = 0; part < 2; part++)
        {
            int length = half.Batch * half.Time;
            View tokens = Host.New(backend, [2, 16], whole.Tokens[(part * length)..((part + 1) * length)], owned);
            View targets = Host.New(backend, [2, 16], whole.Targets[(part * length)..((part + 1) * length)], owned);
            var tape = new Tape(backend, type, training: true) { State = state };
            Tensor partLoss = half.Model.RecordLoss(tape, tape.External("tokens", tokens), tape.External("targets", targets)).Loss;
            var plan = new Plan(tape);
            DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
            owned.Add(arena);
            plan.Bind(arena);
            if (part == 0)
            {
                backend.Fill(half.Store.AllGradients, 0);
            }

            plan.Run();
            sum += Host.Read(backend, plan[partLoss])[0];
        }

        Assert.That(sum, Is.EqualTo(loss).Within(tolerance * loss));
        Assert.That(state.GetDouble(StepSlot.Loss), Is.EqualTo(loss).Within(tolerance * loss));
        Numbers.AssertClose(half.Gradients(), gradients, tolerance, "gradients");
        owned.ForEach(o => o.Dispose());
    }

    [Test]
    public void RecomputationKeepsWhatIsUsedOutsideOfASegment()
    {
        double[] Gradients(bool recompute)
        {
            using var function = new RecordedFunction(Backend(), DType.Float32, s_parameters, (tape, p) =>
            {
                tape.BeginSegment();
                Tensor hidden = ActivationOp<Gelu>.Record(tape, LinearOp.Record(tape, p("x"), p("w1")));
                Tensor y = LinearOp.Record(tape, hidden, p("w2"));
                tape.EndSegment();
                // hidden leaves its segment.
                return AddOp.Record(tape, y, ActivationOp<Silu>.Record(tape, LinearOp.Record(tape, hidden, p("w2"))));
            });
            _ = function.Run(recompute);
            return function.Gradients();
        }

        Numbers.AssertSameBits(Gradients(true), Gradients(false), "recomputed");
    }

    [Test]
    public void AnInferenceTapeHasNoBackwardPassAndASmallerArena()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        var tape = new Tape(model.Store.Backend);
        Tensor loss = model.RecordLoss(tape, null);
        tape.Keep(loss);
        var plan = new Plan(tape);
        Assert.That(plan.CallCount, Is.EqualTo(tape.Nodes.Count));
        Assert.That(plan.ArenaBytes, Is.LessThan(0.5 * new Plan(model.TrainingTape()).ArenaBytes));
    }

    [Test]
    public void FrozenParametersGetNoGradient()
    {
        using var store = new ParameterStore(Backend());
        Parameter frozen = store.Add("frozen", Layout.Of(3, 4), ParameterRole.Matrix, Initializer.Uniform(1));
        Parameter trained = store.Add("trained", Layout.Of(5, 4), ParameterRole.Matrix, Initializer.Uniform(1));
        store.Allocate(new SeedSource(1), new NameGlobs("trained", ["trained"]));
        var tape = new Tape(store.Backend, training: true);
        Tensor y = LinearOp.Record(tape, tape.Use(trained), tape.Use(frozen));
        tape.AddLoss(DotOp.Record(tape, y, y));
        var plan = new Plan(tape);
        using DeviceBuffer arena = store.Backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        Assert.That(Host.Gradient(store, trained), Has.Some.Not.Zero);
        Assert.That(() => store.Gradients(frozen), Throws.InvalidOperationException.With.Message.Contains("'frozen' is frozen"));
    }

    [Test]
    public void MisuseIsNamed()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        var plan = new Plan(model.TrainingTape());
        Assert.That(plan.Run, Throws.InvalidOperationException.With.Message.Contains("before it was bound"));
        using DeviceBuffer small = model.Store.Backend.Allocate(plan.ArenaBytes - 1);
        Assert.That(() => plan.Bind(small), Throws.ArgumentException.With.Message.Contains($"{plan.ArenaBytes} bytes"));
    }

    private static Tensor Feed(Tape tape, Func<string, Tensor> p) =>
        LinearOp.Record(tape, ActivationOp<Gelu>.Record(tape, LinearOp.Record(tape, p("x"), p("w1"))), p("w2"), residual: p("x"));
}
