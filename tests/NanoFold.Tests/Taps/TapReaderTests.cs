using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Taps;

/// <summary>What readers can ask for besides whole values: gradients, some of the places, some of the runs.</summary>
[Parallelizable]
public class TapReaderTests : EngineTests
{
    private static IEnumerable<ModelConfig> Models =>
    [
        ModelVariants.Base with { QkNorm = true, Tied = true },
        ModelVariants.Base with { FeedForward = MoeConfig.Tiny, Mixer = GruConfig.Tiny },
        ModelVariants.Base with { Residual = HyperConnectionsConfig.Tiny, Mixer = LatentAttentionConfig.Tiny },
    ];

    private static IEnumerable<MixerConfig> Recurrent => [MambaConfig.Tiny, MambaConfig.Tiny with { Selective = false }, Mamba2Config.Tiny, DeltaNetConfig.Tiny];

    /// <summary>The gradient at a point, times a small step of the point, is what the loss changes by.</summary>
    [TestCaseSource(nameof(Models))]
    public void AGradientIsWhatTheLossChangesBy(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend(), DType.Float64);
        var gradients = new Collector("*.grad");
        (double loss, double[] parameters) = model.Train(new TapSet([gradients]));
        (double plain, double[] without) = model.Train();
        Numbers.AssertClose(parameters, without, 1e-9, "gradients of parameters");
        Assert.That(loss, Is.EqualTo(plain).Within(1e-12));

        string[] usable = [.. model.Model.TapPoints.Where(p => !p.IsReadOnly && !(config.Residual is HyperConnectionsConfig && p.Name.Contains("hook_resid_"))).Select(p => p.Name + ".grad")];
        Assert.That(gradients.Read.Select(r => r.Name), Is.EquivalentTo(usable));
        foreach ((string name, int[] shape, double[] values) in gradients.Read.Where(r => r.Name.StartsWith("blocks.0", StringComparison.Ordinal) || !r.Name.StartsWith("blocks", StringComparison.Ordinal)))
        {
            var owned = new List<IDisposable>();
            double[] direction = Numbers.Uniform(name, values.Length, -1, 1);
            double LossAt(double step) => model.Train(new TapSet([], [new Steer(name[..^5], Host.New(model.Store.Backend, DType.Float64, shape, [.. direction.Select(d => step * d)], owned))])).Loss;
            double slope = (LossAt(1e-4) - LossAt(-1e-4)) / 2e-4, expected = values.Zip(direction, (g, d) => g * d).Sum();
            Assert.That(slope, Is.EqualTo(expected).Within(1e-6 * Math.Max(1e-2, values.Zip(direction, (g, d) => Math.Abs(g * d)).Sum())), name);
            owned.ForEach(o => o.Dispose());
        }
    }

    /// <summary>Of parts of a model that are not trained, too.</summary>
    [Test]
    public void AGradientReachesPointsBeforeWhatIsTrained()
    {
        using var whole = new TinyModel(ModelVariants.Base, Backend());
        using var head = new TinyModel(ModelVariants.Base, Backend(), trains: new NanoFold.Engine.Configuration.NameGlobs("trains", ["lm_head*"]));
        Collector first = new("hook_embed.grad"), second = new("hook_embed.grad");
        _ = whole.Train(new TapSet([first]));
        _ = head.Train(new TapSet([second]));
        Assert.That(second.Read.Single().Values, Is.EqualTo(first.Read.Single().Values).And.Some.Not.Zero);
    }

    [Test]
    public void PlacesAreChosenByWhatStandsThere()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        int token = model.Tokens[5];
        int[] documents = [.. Enumerable.Range(0, 2 * model.Time).Select(i => i % model.Time / 6)];
        foreach ((TapPlaces places, Func<int, int, bool> expected) in new (TapPlaces, Func<int, int, bool>)[]
        {
            (new TapPlaces { Positions = [3, -1] }, (i, t) => t is 3 or 15),
            (new TapPlaces { From = 4, Before = 7 }, (i, t) => t is >= 4 and < 7),
            (new TapPlaces { Tokens = [token] }, (i, t) => model.Tokens[i] == token),
            (new TapPlaces { Documents = [1], From = 8 }, (i, t) => documents[i] == 1 && t >= 8),
        })
        {
            int[] rows = [.. Enumerable.Range(0, documents.Length).Where(i => expected(i, i % model.Time))];
            foreach (string point in new[] { "blocks.1.hook_resid_mid", "blocks.1.attn.hook_q", "blocks.1.attn.hook_pattern", "blocks.1.hook_resid_mid.grad" })
            {
                var some = new Filtered(point, places);
                var whole = new Collector(point);
                _ = model.Train(new TapSet([whole, some]), documents: documents);
                (_, int[] shape, double[] values) = whole.Read.Single();
                int[] byPlace = shape[1] == model.Time ? [shape[0], shape[1], .. shape[2..]] : [shape[0], shape[2], shape[1], shape[3]];
                Assert.That(some.Rows, Is.EqualTo(rows), point);
                Assert.That(some.Shape, Is.EqualTo(new[] { rows.Length }.Concat(byPlace[2..])), point);
                int width = values.Length / documents.Length, heads = shape[1];
                double At(int row, int i) => point.EndsWith("pattern", StringComparison.Ordinal)
                    ? values[((((row / model.Time) * heads) + (i / model.Time)) * model.Time + (row % model.Time)) * model.Time + (i % model.Time)]
                    : values[(row * width) + i];
                Assert.That(some.Values, Is.EqualTo(rows.SelectMany(row => Enumerable.Range(0, width).Select(i => (float)At(row, i)))), point);
            }
        }
    }

    [Test]
    public void RowsOfAGradientAreThoseOfTheWhole()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        using var rows = new TapRows(model.Store.Backend, 3);
        rows.Set([1, 16, 30]);
        Collector whole = new("blocks.0.attn.hook_z.grad"), some = new("blocks.0.attn.hook_z.grad") { Rows = rows };
        _ = model.Train(new TapSet([whole, some]), recompute: true);
        Assert.That(some.Read.Single().Shape, Is.EqualTo(new[] { 3, 4, 4 }));
        Assert.That(some.Read.Single().Values, Is.EqualTo(new[] { 1, 16, 30 }.SelectMany(row => whole.Read.Single().Values.Skip(row * 16).Take(16))));
    }

    /// <summary>The state after the last place of a pass is the one that decoding keeps after the same tokens.</summary>
    [Test]
    public void StatesAreThoseThatDecodingKeeps([ValueSource(nameof(Recurrent))] MixerConfig mixer)
    {
        using var model = new TinyModel(ModelVariants.Base with { Mixer = mixer, Layers = 1 }, Backend());
        const string point = "blocks.0.attn.hook_final_state";
        Collector whole = new(point), step = new(point);
        _ = model.Logits(model.Tokens, taps: new TapSet([whole]));
        using var decoding = new Decoding(model, 4, new TapSet([step]));
        _ = decoding.Run((_, _) => 4);
        Assert.That(step.Read[^1].Shape, Is.EqualTo(whole.Read[0].Shape));
        Numbers.AssertClose(step.Read[^1].Values, whole.Read[0].Values, 1e-5, "state");
        Assert.That(step.Read[0].Values, Is.Not.EqualTo(step.Read[^1].Values));
    }

    [Test]
    public void AReaderMayReadSomeOfTheRuns()
    {
        using var model = new TinyModel(ModelVariants.Base, Backend());
        Filtered value = new("hook_embed", null) { Every = 3 }, gradient = new("hook_embed.grad", null) { Every = 2 };
        var plan = new Plan(model.TrainingTape(new TapSet([value, gradient])));
        for (int run = 0; run < 5; run++)
        {
            _ = model.Train(plan);
        }

        Assert.That((value.Reads, gradient.Reads), Is.EqualTo((2, 3)));
    }

    [Test]
    public void WhatHasNoGradientIsSaid()
    {
        using var model = new TinyModel(ModelVariants.Base with { FeedForward = MoeConfig.Tiny }, Backend());
        void Fails(string pattern, string message, Action<TapSet> record) =>
            Assert.That(() => record(new TapSet([new Collector(pattern)])), Throws.TypeOf<UserException>().With.Message.EqualTo(message), pattern);
        Fails("hook_embed.grad", "tap hook_embed.grad: there is no gradient; what is recorded is not trained, so that it has no backward pass", taps => _ = model.Logits(model.Tokens, taps: taps));
        Fails("blocks.0.hook_resid_pst.grad", "tap 'blocks.0.hook_resid_pst.grad' matches no point of what was recorded; did you mean 'blocks.0.hook_resid_post.grad'?", taps => _ = model.Train(taps));
        Assert.That(() => model.Train(new TapSet([new Collector("blocks.0.mlp.hook_router.grad")])), Throws.TypeOf<UserException>(), "nothing uses it");
        Assert.That(() => model.Train(new TapSet([new Filtered("blocks.0.mlp.hook_expert_load", new TapPlaces { From = 1 })])),
            Throws.TypeOf<UserException>().With.Message.Contains("is not of places, so that some of them cannot be read"));
        Assert.That(() => model.Train(new TapSet([new Filtered("hook_embed", new TapPlaces { Documents = [1] })])),
            Throws.TypeOf<UserException>().With.Message.EqualTo("tap hook_embed: no documents are told apart here, so that places cannot be chosen by them"));
    }

    private sealed class Filtered(string pattern, TapPlaces? places) : ITapReader
    {
        public string Pattern => pattern;

        public ITapFilter? Filter => places;

        public int Every { get; init; } = 1;

        public int Reads { get; private set; }

        public int[] Rows { get; private set; } = [];

        public int[] Shape { get; private set; } = [];

        public float[] Values { get; private set; } = [];

        public void Read(TapValue value) => (Reads, Rows, Shape, Values) = (Reads + 1, value.Rows.ToArray(), value.Layout.ToShape(), value.ToArray());
    }
}
