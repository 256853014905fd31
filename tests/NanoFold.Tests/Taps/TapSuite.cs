using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Taps;
using NanoFold.Kernels;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Taps;

/// <summary>Every point that a model declares, for every mixer and feed-forward, is read.</summary>
[Parallelizable]
public class TapSuite : EngineTests
{
    private static IEnumerable<TestCaseData> Variants => ModelVariants.All.Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    [TestCaseSource(nameof(Variants))]
    public void EachPointIsReadOnceARunWithItsShape(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        Dictionary<string, int[]> declared = model.Model.TapPoints.ToDictionary(p => p.Name, p => TapShapes.Of(p, model));
        foreach (bool recompute in new[] { false, true })
        {
            var collector = new Collector("*");
            var plan = new Plan(model.TrainingTape(new TapSet([collector])), recompute);
            for (int run = 0; run < 2; run++)
            {
                collector.Read.Clear();
                _ = model.Train(plan);
                Assert.That(collector.Read.Select(r => r.Name), Is.EquivalentTo(declared.Keys));
                foreach ((string name, int[] shape, double[] values) in collector.Read)
                {
                    Assert.That(shape, Is.EqualTo(declared[name]), name);
                    Assert.That(TapShapes.Seen(name, values), Is.All.Matches<double>(double.IsFinite), name);
                }
            }
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void ReadingChangesNoBit(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        (double loss, double[] gradients) = model.Train();
        var body = new Collector("blocks.*");
        (double tappedLoss, double[] tapped) = model.Train(new TapSet([body]));
        Assert.That(tappedLoss, Is.EqualTo(loss));
        Numbers.AssertSameBits(tapped, gradients, "gradients");
        Numbers.AssertSameBits(model.Logits(model.Tokens, taps: new TapSet([new Collector("*")])), model.Logits(model.Tokens), "logits");
        // Read logits exist as a whole, so the loss is made of other, equal kernels.
        (double wholeLoss, double[] whole) = model.Train(new TapSet([new Collector("hook_logits")]));
        Assert.That(wholeLoss, Is.EqualTo(loss).Within(1e-6 * loss));
        Numbers.AssertClose(whole, gradients, 1e-5, "gradients with logits read");
    }

    [TestCaseSource(nameof(Variants))]
    public void APointThatNobodyReadsRecordsNothing(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        int nodes = model.TrainingTape().Nodes.Count;
        Assert.That(model.TrainingTape(new TapSet([])).Nodes, Has.Count.EqualTo(nodes));
        Assert.That(model.TrainingTape(new TapSet([new Collector("no such point")])).Nodes, Has.Count.EqualTo(nodes));
        IReadOnlyList<Node> read = model.TrainingTape(new TapSet([new Collector("blocks.0.hook_resid_*")])).Nodes;
        int points = model.Model.TapPoints.Count(point => point.Name.StartsWith("blocks.0.hook_resid_", StringComparison.Ordinal));
        Assert.That(points, Is.EqualTo(config.Parallel == ParallelKind.None ? 3 : 2));
        Assert.That(read.Count(node => node.Op.Name == "tap"), Is.EqualTo(points));
        // Where the stream is more than one value, their sum is made for readers.
        Assert.That(read, config.Residual.CarriesOneVector ? Has.Count.EqualTo(nodes + points) : Has.Count.GreaterThan(nodes + points));
    }

    [TestCaseSource(nameof(Variants))]
    public void PatternsAreWhatAttentionWeighsWith(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        config = model.Model.Config;
        IReadOnlyList<LayerConfig> layers = config.LayerConfigs();
        HashSet<string> declared = [.. model.Model.TapPoints.Select(p => p.Name)];
        NaiveModel[] naive = [.. Enumerable.Range(0, model.Batch).Select(row => new NaiveModel(config, name => Host.Find(model.Store, name), model.Prefixes?[row] ?? 0))];
        var collector = new Collector("blocks.*");
        _ = model.Train(new TapSet([collector]));
        for (int layer = 0; layer < layers.Count; layer++)
        {
            string block = $"blocks.{layer}.", prefix = block + "attn.";
            MixerConfig mixer = layers[layer].Mixer;
            int heads = mixer.Traits(config).PatternHeads;
            Assert.That(declared.Contains(prefix + "hook_pattern"), Is.EqualTo(heads > 0), $"{mixer.Kind}: has a pattern");
            if (heads == 0)
            {
                continue;
            }

            double[] pattern = collector[prefix + "hook_pattern"], normed = collector[block + (config.NormPlace == NormPlaceKind.Post ? "attn_residual.hook_read" : "ln1.hook_normalized")];
            double[][][] rows = [.. normed.Chunk(config.Width).Chunk(model.Time)];
            double[] expected = [.. rows.SelectMany((x, row) => naive[row].Pattern(layer, x))];
            Numbers.AssertClose(pattern, expected, 1e-5, $"{mixer.Kind}: pattern");
            Assert.That(pattern.Select(w => w != 0), Is.EqualTo(expected.Select(w => w != 0)), $"{mixer.Kind}: which keys are seen");
            if (MixerReference.Of(mixer).IsPatternTimesValues(mixer))
            {
                AssertWeighed(pattern, collector[prefix + "hook_v"], collector[prefix + "hook_z"], heads, model);
            }
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void RowsOfAPointAreThoseOfTheWhole(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        int[] tokens = [1, 7, 16, 16, 31], documents = [.. Enumerable.Range(0, 2 * model.Time).Select(i => i % model.Time / 6)];
        using var rows = new TapRows(model.Store.Backend, tokens.Length);
        rows.Set(tokens);
        TapPoint[] points = [.. model.Model.TapPoints.Where(p => p.Shape.StartsWith("B T ", StringComparison.Ordinal) || p.Shape == "B H T T")];
        Collector[] some = [.. points.Select(p => new Collector(p.Name) { Rows = rows })];
        var whole = new Collector("*");
        _ = model.Train(new TapSet([whole]), documents: documents);
        _ = model.Train(new TapSet(some), documents: documents);
        for (int i = 0; i < points.Length; i++)
        {
            int[] shape = TapShapes.Of(points[i], model);
            (_, int[] read, double[] values) = some[i].Read.Single();
            bool isPattern = points[i].Shape == "B H T T";
            int heads = isPattern ? shape[1] : 1, length = isPattern ? shape[3] : shape.Skip(2).Aggregate(1, (product, n) => product * n);
            int[] shapeOfRows = isPattern ? [tokens.Length, heads, length] : [tokens.Length, .. shape[2..]];
            Assert.That(read, Is.EqualTo(shapeOfRows), points[i].Name);
            double[] expected =
            [
                .. tokens.SelectMany(token => Enumerable.Range(0, heads).SelectMany(h =>
                    whole[points[i].Name].Skip((((token / model.Time * heads) + h) * model.Time + (token % model.Time)) * length).Take(length))),
            ];
            Numbers.AssertClose(TapShapes.Seen(points[i].Name, values), TapShapes.Seen(points[i].Name, expected), isPattern ? 1e-6 : 0, points[i].Name);
        }
    }

    [Test]
    public void NoPatternIsMadeForReadersOfRows()
    {
        using var model = new TinyModel(ModelVariants.Base with { Mixer = SlidingWindowConfig.Tiny }, Backend());
        using var rows = new TapRows(model.Store.Backend, 3);
        int Largest(TapSet taps) => model.TrainingTape(taps).Nodes.Where(n => n.Path.EndsWith("attn", StringComparison.Ordinal)).SelectMany(n => n.Outputs).Max(o => (int)o.Layout.Count);
        int square = 2 * 4 * 16 * 16;
        Assert.That(Largest(new TapSet([new Collector("*.hook_pattern") { Rows = rows }])), Is.LessThan(square));
        Assert.That(Largest(new TapSet([new Collector("*.hook_pattern")])), Is.EqualTo(square));
    }

    // z[b, t, h] = Σ_j pattern[b, h, t, j] · v[b, j, g(h)].
    private static void AssertWeighed(double[] pattern, double[] values, double[] z, int heads, TinyModel model)
    {
        int time = model.Time, depth = z.Length / (model.Batch * time * heads), groups = values.Length / (model.Batch * time * depth);
        var expected = new double[z.Length];
        for (int i = 0; i < z.Length; i++)
        {
            int d = i % depth, h = i / depth % heads, t = i / (depth * heads) % time, b = i / (depth * heads * time);
            for (int j = 0; j < time; j++)
            {
                expected[i] += pattern[((b * heads + h) * time + t) * time + j] * values[((b * time + j) * groups + h / (heads / groups)) * depth + d];
            }
        }

        Numbers.AssertClose(z, expected, 1e-5, "z");
    }
}
