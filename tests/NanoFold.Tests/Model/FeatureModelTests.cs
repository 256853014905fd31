using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Halves;

namespace NanoFold.Tests.Model;

/// <summary>Models that read real features in, read real values out, or both, against plain loops and finite differences.</summary>
public class FeatureModelTests : EngineTests
{
    private static readonly ModelConfig s_values = ModelVariants.Base with { Vocab = 0, Inputs = 3, Outputs = 2 };

    private static IEnumerable<TestCaseData> Models =>
    [
        new TestCaseData(s_values).SetArgDisplayNames("causal"),
        new TestCaseData(s_values with { Visibility = VisibilityKind.Full, Position = PositionKind.Learned, Norm = NormKind.Layer }).SetArgDisplayNames("full"),
        new TestCaseData(s_values with { Visibility = VisibilityKind.Prefix, Outputs = 1, KvHeads = 2 }).SetArgDisplayNames("prefix"),
        new TestCaseData(s_values with { Mixer = GruConfig.Tiny, Bias = true }).SetArgDisplayNames("recurrent"),
    ];

    [TestCaseSource(nameof(Models))]
    public void ValuesAreThoseOfAPlainImplementation(ModelConfig config)
    {
        using var exact = new Rig(config, Backend(), DType.Float64);
        double[] expected = exact.Plain();
        Numbers.AssertClose(exact.Values(), expected, 1e-11, "float64");
        foreach (CpuPath path in CpuPath.All)
        {
            using var single = new Rig(config, Backend(path.Isa, path.Threads, path.ComposedOnly), DType.Float32);
            Numbers.AssertClose(single.Values(), expected, 1e-5, path.ToString());
        }
    }

    [TestCaseSource(nameof(Models))]
    public void TheLossIsTheMeanSquaredErrorOfWhatIsMarked(ModelConfig config)
    {
        using var rig = new Rig(config, Backend(), DType.Float64);
        double[] values = rig.Plain();
        int outputs = config.Outputs, marked = rig.Marks.Count(mark => mark >= 0);
        double expected = Enumerable.Range(0, values.Length).Where(i => rig.Marks[i / outputs] >= 0).Sum(i => Math.Pow(values[i] - rig.Targets[i], 2)) / outputs / marked;
        Assert.That(rig.Train().Loss, Is.EqualTo(expected).Within(1e-11 * expected));
    }

    [TestCaseSource(nameof(Models))]
    public void GradientsMatchFiniteDifferences(ModelConfig config)
    {
        using var rig = new Rig(config, Backend(), DType.Float64);
        using var check = new GradCheck(rig.Model.Store, tape => rig.RecordLoss(tape));
        Assert.That(rig.Model.Store.Parameters.Select(p => p.Name), Is.SupersetOf(new[] { "model.read_in.weight", "model.read_in.bias", "read_out.weight", "read_out.bias" }));
        foreach (GradientDifference difference in check.Run(elements: 2))
        {
            Assert.That(difference.Relative, Is.LessThan(1e-6), difference.ToString());
        }
    }

    [Test]
    public void RecomputedOrNotOnAnyNumberOfThreadsItIsTheSameBits()
    {
        using var rig = new Rig(s_values, Backend(), DType.Float32);
        (double loss, double[] gradients) = rig.Train();
        using var other = new Rig(s_values, Backend(threads: 3), DType.Float32);
        (double otherLoss, double[] otherGradients) = other.Train(recompute: true);
        Assert.That(otherLoss, Is.EqualTo(loss));
        Numbers.AssertSameBits(otherGradients, gradients, "gradients");
    }

    [TestCase(DType.BFloat16)]
    [TestCase(DType.Float16)]
    public void FeaturesAndTargetsStayInSinglePrecisionWhereActivationsHave16Bits(DType type)
    {
        using var single = new Rig(s_values, Backend(), DType.Float32);
        using var halves = new HalfBackend();
        using var rig = new Rig(s_values, halves, DType.Float32, type);
        double step = type == DType.BFloat16 ? 1.0 / 128 : 1.0 / 1024;
        Numbers.AssertClose(rig.Values(), single.Values(), 4 * step, "values");
        (double loss, double[] gradients) = single.Train();
        (double halfLoss, double[] halfGradients) = rig.Train();
        Assert.That(halfLoss, Is.EqualTo(loss).Within(8 * step * loss));
        Numbers.AssertClose(halfGradients, gradients, 16 * step, "gradients");
    }

    [Test]
    public void FeaturesMayBePredictedAsSymbolsAndTokensReadOutAsValues()
    {
        using var symbols = new Transformer(ModelVariants.Base with { Inputs = 3 }, Backend());
        Assert.That(symbols.Store.Parameters.Select(p => p.Name), Has.Member("lm_head.weight").And.Not.Member("model.embed_tokens.weight"));
        Assert.That(() => symbols.ReadOut, Throws.InvalidOperationException.With.Message.StartsWith("model.outputs = 0"));
        using var values = new Transformer(ModelVariants.Base with { Outputs = 3 }, Backend());
        Assert.That(values.Store.Parameters.Select(p => p.Name), Has.Member("model.embed_tokens.weight").And.Not.Member("lm_head.weight"));
        Assert.That(() => values.Language, Throws.InvalidOperationException.With.Message.StartsWith("model.outputs = 3"));
        Assert.That(values.TapPoints.Last(), Is.EqualTo(new NanoFold.Engine.Taps.TapPoint("hook_outputs", "B T 3")));
    }

    [Test]
    public void CostsCountReadInAndReadOut()
    {
        CostModel cost = CostModel.Of(s_values);
        Assert.That((cost.Embedding, cost.Head, cost.CacheBytesPerSequence), Is.EqualTo((16 * 3 + 16L, 2 * 16 + 2L, 0L)));
        long step(int outputs) => CostModel.FlopsPerToken(s_values with { Outputs = outputs });
        Assert.That(step(7) - step(2), Is.EqualTo(6 * 5 * 16));
    }

    [TestCase("model.inputs: the model reads real features, so that it makes no text", 3, 0, VisibilityKind.Causal)]
    [TestCase("model.outputs: the model gives real values, so that it makes no text", 0, 2, VisibilityKind.Causal)]
    [TestCase("model.visibility: the model is \"full\", so that it makes no text; only causal models can, in which no token sees a later one", 0, 0, VisibilityKind.Full)]
    public void WhatMakesNoTextIsNotDecoded(string reason, int inputs, int outputs, VisibilityKind visibility)
    {
        using var model = new Transformer(ModelVariants.Base with { Inputs = inputs, Outputs = outputs, Visibility = visibility }, Backend());
        Assert.That(() => model.NewCache(1, 1), Throws.TypeOf<UserException>().With.Message.EqualTo(reason));
    }

    [Test]
    public void WhatDoesNotFitTogetherIsToldInALine()
    {
        static string[] Problems(ModelConfig config) => [.. config.Validate("model").Select(problem => problem.ToString()!)];
        Assert.That(Problems(ModelVariants.Base with { Visibility = VisibilityKind.Full, Mixer = new Mamba2Config() }), Has.Length.EqualTo(1).And.One.Contains(
            "model.visibility: a token of \"mamba2\" sees only those before it; use causal, or a mixer that can: attention, sliding-window, gated-attention, differential, latent-attention, "));
        Assert.That(Problems(ModelVariants.Base with { Visibility = VisibilityKind.Prefix, Mixer = ParallelConfig.Tiny }), Has.Length.EqualTo(1).And.One.Contains("\"parallel\""));
        Assert.That(Problems(ModelVariants.Base with { Visibility = VisibilityKind.Full, Mixer = new NoneConfig() }), Is.Empty);
        Assert.That(Problems(s_values with { Tied = true }), Has.Length.EqualTo(1).And.One.Contains("model.tied"));
        Assert.That(Problems(s_values), Is.Empty);
    }

    [Test]
    public void InputsOfAnotherShapeAreNamed()
    {
        using var rig = new Rig(s_values, Backend(), DType.Float32);
        var tape = new Tape(rig.Model.Backend);
        Tensor External(params int[] shape) => tape.External("x", new View(rig.Model.Backend.Allocate(4096), 0, Layout.Of(shape), DType.Float32));
        Assert.That(() => rig.Model.RecordBody(tape, External(2, 16, 4)), Throws.ArgumentException.With.Message.Contains("expected features [B, T, 3]"));
        Assert.That(() => rig.Model.RecordBody(tape, External(2, 17, 3)), Throws.ArgumentException.With.Message.Contains("17 tokens; its context is 16"));
        Assert.That(() => rig.Model.RecordBody(tape, External(2, 16, 3), prefixes: External(2)), Throws.ArgumentException.With.Message.Contains("prefixes are given where its visibility is Causal"));
    }

    /// <summary>A model with features, targets and marks of a batch.</summary>
    private sealed class Rig : IDisposable
    {
        private const int Batch = 2;
        private readonly List<IDisposable> _owned = [];
        private readonly DType _type;
        private readonly DType _activations;
        private readonly double[] _features;

        public Rig(ModelConfig config, Backend backend, DType type, DType? activations = null)
        {
            (_type, _activations) = (type, activations ?? type);
            Model = new Transformer(config, backend, seed: 5, type);
            _owned.Add(Model);
            int places = Batch * config.Context;
            _features = [.. Numbers.Uniform("features", places * config.Inputs, -1, 1).Select(v => (double)(float)v)];
            Targets = [.. Numbers.Uniform("targets", places * config.Outputs, -1, 1).Select(v => (double)(float)v)];
            Marks = [.. Enumerable.Range(0, places).Select(i => i % 3 == 1 ? -1 : 0)];
            foreach (Parameter parameter in Model.Store.Parameters)
            {
                double[] noise = Numbers.Uniform(parameter.Name, (int)parameter.Layout.Count, -0.25, 0.25);
                Host.Write(Model.Store, parameter, [.. Host.Read(Model.Store, parameter).Zip(noise, (v, n) => (double)(float)(v + n))]);
            }

        }

        public Transformer Model { get; }

        public double[] Targets { get; }

        public int[] Marks { get; }

        private ModelConfig Config => Model.Config;

        public double[] Plain() =>
        [
            .. _features.Chunk(Config.Inputs).Chunk(Config.Context).SelectMany((rows, row) =>
                new NaiveModel(Config, name => Host.Find(Model.Store, name), 3 + (4 * row)).Values(rows)),
        ];

        public double[] Values()
        {
            var tape = new Tape(Model.Backend, _activations);
            return Run(tape, Model.RecordOutputs(tape, Features(tape), prefixes: Prefixes(tape)));
        }

        public (double Loss, double[] Gradients) Train(bool recompute = false)
        {
            var tape = new Tape(Model.Backend, _activations, training: true);
            Tensor loss = RecordLoss(tape);
            Model.Backend.Fill(Model.Store.AllGradients, 0);
            double value = Run(tape, loss, recompute)[0];
            return (value, [.. Model.Store.Parameters.SelectMany(p => Host.Gradient(Model.Store, p))]);
        }

        public Tensor RecordLoss(Tape tape)
        {
            tape.State.Set(StepSlot.TargetCount, (long)Marks.Count(mark => mark >= 0));
            Tensor x = Model.Body.Forward(tape, Features(tape), prefixes: Prefixes(tape));
            Tensor targets = Reals(tape, "targets", Targets, Config.Outputs);
            return Model.ReadOut.Loss(tape, x, targets, tape.External("marks", Host.New(Model.Backend, [Batch, Config.Context], Marks, _owned))).Loss;
        }

        public void Dispose()
        {
            for (int i = _owned.Count - 1; i >= 0; i--)
            {
                _owned[i].Dispose();
            }
        }

        private double[] Run(Tape tape, Tensor result, bool recompute = false)
        {
            tape.Keep(result);
            var plan = new Plan(tape, recompute);
            using DeviceBuffer arena = Model.Backend.Allocate(plan.ArenaBytes);
            Host.FillNaN(Model.Backend, arena);
            plan.Bind(arena);
            plan.Run();
            return Host.Read(Model.Backend, plan[result]);
        }

        private Tensor Features(Tape tape) => Reals(tape, "features", _features, Config.Inputs);

        private Tensor Reals(Tape tape, string name, double[] values, int width) =>
            tape.External(name, Host.New(Model.Backend, _type, [Batch, Config.Context, width], values, _owned));

        private Tensor Prefixes(Tape tape) => Config.Visibility == VisibilityKind.Prefix
            ? tape.External("prefixes", Host.New(Model.Backend, [Batch], [3, 7], _owned))
            : default;
    }
}
