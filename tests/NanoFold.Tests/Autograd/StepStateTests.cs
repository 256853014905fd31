using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

/// <summary>A recording's own state: slots by name, terms beside the loss, and recordings that do not disturb each other.</summary>
public class StepStateTests : EngineTests
{
    private const int Steps = 3;

    // Dropout, two terms beside the loss, counts of experts and biases that follow them: all that a state has a part in.
    private static readonly ModelConfig s_model = ModelVariants.Base with
    {
        Dropout = 0.1, FeedForward = MoeConfig.Tiny with { Routing = RouterKind.Sigmoid, BiasRate = 0.05, BalanceLoss = 0.01, ZLoss = 0.001 },
    };

    [Test]
    public void AFreeSlotHasANameAndStartsAtZero()
    {
        using StepState state = Backend().NewState();
        StepSlot weight = state.Add("kl weight"), temperature = state.Add("temperature");
        Assert.That(weight, Is.EqualTo(StepSlot.Free));
        Assert.That((temperature, state.Add("kl weight")), Is.EqualTo((StepSlot.Free + 1, weight)));
        Assert.That(state.GetDouble(temperature), Is.Zero);
        state.Set(temperature, 0.5);
        Assert.That((state.GetDouble(weight), state.GetDouble(temperature)), Is.EqualTo((0.0, 0.5)));
        Assert.That(state.GetDouble(state.Add("share", 0.25)), Is.EqualTo(0.25));
        Assert.That(state.GetDouble(state.Add("temperature", 9)), Is.EqualTo(0.5), "it was there");
        Assert.That(state.Terms, Is.Empty);
        StepSlot term = state.AddTerm("klLoss");
        Assert.That((state.AddTerm("klLoss"), state.Add("klLoss")), Is.EqualTo((term, term)));
        Assert.That(state.Terms, Is.EqualTo(new[] { new LossTerm("klLoss", term) }));
    }

    [Test]
    public void ANewStateStandsAtTheFirstStep()
    {
        using StepState state = Backend().NewState();
        StepSlot[] ones = [StepSlot.Step, StepSlot.MicroBatchCount, StepSlot.TargetCount];
        Assert.That(ones.Select(state.GetInteger), Is.All.EqualTo(1));
        Assert.That(state.GetDouble(StepSlot.LossScale), Is.EqualTo(1));
        Assert.That(Enum.GetValues<StepSlot>().Except([.. ones, StepSlot.LossScale, StepSlot.None]).Select(state.GetInteger), Is.All.Zero);
    }

    [Test]
    public void WhatDoesNotFitIsNamed()
    {
        using StepState terms = Backend().NewState(), slots = Backend().NewState();
        for (int i = 0; i < StepState.MostTerms; i++)
        {
            terms.AddTerm($"term {i}");
        }

        Assert.That(() => terms.AddTerm("one more"), Throws.InvalidOperationException.With.Message.Contains("no room for the term 'one more'; it has 16: term 0, term 1"));
        for (int i = 0; i < StepState.Capacity - (int)StepSlot.Free; i++)
        {
            slots.Add($"slot {i}");
        }

        Assert.That(() => slots.Add("one more"), Throws.InvalidOperationException.With.Message.Contains($"no room for 'one more'; it has {StepState.Capacity - (int)StepSlot.Free} free slots: slot 0"));
    }

    [Test]
    public void AFactorInASlotChangesWithoutANewRecording()
    {
        CpuBackend backend = Backend();
        using var store = new ParameterStore(backend);
        Parameter parameter = store.Add("x", Layout.Of(1, 4), ParameterRole.Vector, Initializer.One);
        store.Allocate(1);
        store.AllocateGradients();
        using StepState state = backend.NewState();
        StepSlot weight = state.Add("weight"), temperature = state.Add("temperature");
        var tape = new Tape(backend, training: true) { State = state };
        Tensor x = MultiplyOp.Record(tape, BroadcastOp.Record(tape, tape.Use(parameter), 1, 4), SlotOp.Record(tape, temperature).Reshape(1, 1));
        Tensor loss = LossTermOp.Record(tape, x, "myLoss", factor: 2, weight);
        tape.AddLoss(loss);
        Assert.That(tape.LossTerms, Is.EqualTo(new[] { new LossTerm("myLoss", state.Add("myLoss")) }));
        using var plan = new Plan(tape);
        using DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        state.Set(StepSlot.LossScale, 8.0);
        double sum = 0;
        foreach ((double w, double t, long microBatches) in new[] { (1.0, 1.0, 1L), (0.5, 3.0, 2L), (0.0, 1.0, 1L), (-2.0, 0.25, 4L) })
        {
            state.Set(weight, w);
            state.Set(temperature, t);
            state.Set(StepSlot.MicroBatchCount, microBatches);
            store.ClearGradients();
            plan.Run();
            double expected = 2 * w * t / microBatches;
            sum += expected;
            Assert.That(Host.Read(backend, plan[loss])[0], Is.EqualTo(expected));
            Assert.That(Host.Gradient(store, parameter), Is.All.EqualTo(8 * expected / 4));
            Assert.That((state.GetDouble(state.Add("myLoss")), state.GetDouble(StepSlot.Loss)), Is.EqualTo((sum, 0.0)));
        }

        state.ClearLosses();
        Assert.That(state.GetDouble(state.Add("myLoss")), Is.Zero);
    }

    [Test]
    public void TermsAreReportedAsTheRecordingHasThem()
    {
        using StepState state = Backend().NewState();
        StepSlot Term(string key, double value)
        {
            StepSlot slot = state.AddTerm(key);
            state.Set(slot, value);
            return slot;
        }

        LossTerm[] recorded = [.. new[] { ("klLoss", 4.0), ("indexLoss", 3), ("zLoss", 2), ("another", 5), ("balanceLoss", 1) }.Select(t => new LossTerm(t.Item1, Term(t.Item1, t.Item2)))];
        Term("of another recording", double.NaN);
        var terms = LossTerms.Of(state, LossTerms.InOrder(recorded));
        Assert.That(Enumerable.Range(0, terms.Count).Select(i => terms[i]), Is.EqualTo(new[] { ("balanceLoss", 1.0), ("zLoss", 2.0), ("indexLoss", 3.0), ("klLoss", 4.0), ("another", 5.0) }));
        Assert.That((terms["klLoss"], terms["of another recording"], terms.IsFinite), Is.EqualTo((4.0, (double?)null, true)));
        Term("zLoss", double.PositiveInfinity);
        var broken = LossTerms.Of(state, LossTerms.InOrder(recorded));
        Assert.That((broken.IsFinite, broken == terms, terms == LossTerms.Of(state, LossTerms.InOrder(recorded))), Is.EqualTo((false, false, false)));
        using var folder = new TemporaryFolder();
        using (var log = JsonLinesLog.Open(folder["metrics.jsonl"]))
        {
            var metrics = new MetricsJson(log, 1, 0);
            metrics.AppendStep(new RunPlace(1, 0, 10), new StepResult(7, 0.5, 0.1, 10) { Terms = terms }, 1, null, []);
            metrics.AppendStep(new RunPlace(2, 0, 20), new StepResult(7, 0.5, 0.1, 10) { Terms = broken }, 1, null, []);
        }

        string[] lines = File.ReadAllLines(folder["metrics.jsonl"]);
        Assert.That(lines[0], Does.Contain("\"loss\":7,\"balanceLoss\":1,\"zLoss\":2,\"indexLoss\":3,\"klLoss\":4,\"another\":5,\"gradientNorm\":0.5"));
        Assert.That(lines[1], Does.Contain("\"skipped\":true").And.Not.Contain("Loss"));
        Assert.That((default(LossTerms).Count, default(LossTerms).IsFinite, default(LossTerms)["zLoss"]), Is.EqualTo((0, true, (double?)null)));
    }

    [Test]
    public void TwoTrainingsThatTakeTurnsGiveTheBitsOfEachAlone()
    {
        (double[] firstAlone, double[] secondAlone) = (Alone(0), Alone(1));
        CpuBackend backend = Backend();
        using Rig first = new(backend, 0), second = new(backend, 1);
        for (int step = 0; step < Steps; step++)
        {
            first.Trainer.Begin(step);
            first.Trainer.Accumulate(0);
            second.Step(step);
            first.Trainer.Accumulate(1);
            second.Evaluate();
            first.Trainer.Update();
            first.Note();
        }

        Assert.That(first.Found, Is.EqualTo(firstAlone));
        Assert.That(second.Found, Is.EqualTo(secondAlone));
        Assert.That(firstAlone, Has.All.Matches<double>(double.IsFinite));
    }

    // In another order, and with an evaluation in the middle of the other's step.
    private double[] Alone(int number)
    {
        using var rig = new Rig(Backend(), number);
        for (int step = 0; step < Steps; step++)
        {
            rig.Step(step);
            if (number == 1)
            {
                rig.Evaluate();
            }
        }

        return [.. rig.Found];
    }

    private sealed class Rig : IDisposable
    {
        private readonly List<IDisposable> _owned = [];
        private readonly Transformer _model;
        private readonly Plan _evaluation;
        private readonly Tensor _nats;

        public Rig(Backend backend, int number)
        {
            _model = new Transformer(s_model, backend, seed: (ulong)number + 1);
            TrainConfig config = new TrainConfig
            {
                Batch = 2 + number, Accumulate = 2, Steps = 100, Warmup = 0, Seed = number + 3, Optimizer = Optimizers.Of(number == 0 ? "adamw" : "muon"),
            }.Resolve("nano");
            Trainer = new Trainer(_model, config, new RandomTokens(s_model.Vocab, (ulong)number));
            View text = Host.New(backend, [2, s_model.Context], Numbers.Integers("text", 2 * s_model.Context, 0, s_model.Vocab), _owned);
            var tape = new Tape(backend);
            _nats = _model.RecordLoss(tape, tape.External("tokens", text), tape.External("targets", text)).Loss;
            tape.Keep(_nats);
            _evaluation = new Plan(tape);
            DeviceBuffer arena = backend.Allocate(_evaluation.ArenaBytes);
            _owned.Add(arena);
            _evaluation.Bind(arena);
        }

        public Trainer Trainer { get; }

        public List<double> Found { get; } = [];

        public void Step(int step)
        {
            Trainer.Begin(step);
            Trainer.Accumulate(0);
            Trainer.Accumulate(1);
            Trainer.Update();
            Note();
        }

        public void Evaluate()
        {
            _evaluation.Tape.State.Set(StepSlot.TargetCount, 2L * s_model.Context);
            _evaluation.Run();
            Found.Add(Host.Read(_model.Backend, _evaluation[_nats])[0]);
        }

        public void Note()
        {
            StepSlot[] slots = [StepSlot.Loss, StepSlot.GradientSquares, .. Trainer.State.Terms.Select(term => term.Slot)];
            Found.AddRange(slots.Select(Trainer.State.GetDouble));
            Found.AddRange(_model.Store.Parameters.SelectMany(p => Host.Read(_model.Store, p)));
        }

        public void Dispose()
        {
            _evaluation.Dispose();
            Trainer.Dispose();
            _model.Dispose();
            _owned.ForEach(o => o.Dispose());
        }
    }
}
