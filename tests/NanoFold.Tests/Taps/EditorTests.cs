using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Taps;

/// <summary>Every editor, of all places and of some: what stands there afterwards, gradients, and decoding.</summary>
[Parallelizable]
public class EditorTests : EngineTests
{
    private const string Stream = "blocks.0.hook_resid_mid", Heads = "blocks.0.attn.hook_z", Pattern = "blocks.0.attn.hook_pattern";

    private static readonly double[] s_vector = Numbers.Uniform("vector", 16, -1, 1);

    private static ModelConfig OneLayer => ModelVariants.Base with { Layers = 1, Hidden = 8 };

    private static IEnumerable<TestCaseData> Variants => ModelVariants.OneLayer
        .Where(v => v.Model.Resolve().WhyNotDecoded is null && !v.Model.LayerConfigs().Any(layer => MixerReference.Of(layer.Mixer).HasConstants(layer.Mixer)))
        // Once a kind: what its settings change has no part in edits.
        .DistinctBy(v => (v.Model.Mixer.Kind, v.Model.FeedForward.Kind, v.Model.Residual.Kind, v.Model.Position))
        .Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    // What is edited, of which some places; and what a row of a head then is, of all rows before.
    private static IEnumerable<(EditConfig Edit, Func<Rows, int, int, double[]> Expected)> Edits(string point, int width)
    {
        double[] vector = s_vector[..width], other = [.. s_vector.Reverse().Take(width)];
        yield return (new AblateConfig { Points = point }, (_, _, _) => new double[width]);
        yield return (new AblateConfig { Points = point, Mode = AblationKind.Mean }, (rows, _, head) => rows.Mean(head));
        yield return (new SteerConfig { Points = point, Direction = vector, Strength = -2 }, (rows, place, head) => [.. rows[place, head].Zip(vector, (x, d) => x - (2 * d))]);
        yield return (new PatchConfig { Points = point, Value = vector }, (_, _, _) => vector);
        yield return (new PatchConfig { Points = point, From = new PatchSource { Position = -3 } }, (rows, place, head) => rows[(place / rows.Time * rows.Time) + rows.Time - 3, head]);
        yield return (new ProjectConfig { Points = point, Directions = [vector, other, vector] }, (rows, place, head) =>
        {
            // One after the other, each made orthogonal to the one before.
            double[] Without(double[] x, double[] d) => [.. x.Zip(d, (a, b) => a - (b * x.Zip(d, (p, q) => p * q).Sum() / d.Sum(v => v * v)))];
            return Without(Without(rows[place, head], vector), Without(other, vector));
        });
    }

    [Test]
    public void EditedPlacesAreWhatAPlainCalculationSaysAndOthersStay([Values(Stream, Heads)] string point, [Values] bool some)
    {
        using var model = new TinyModel(OneLayer, Backend());
        using var tables = new TableStore(model.Store.Backend, DType.Float32);
        var before = new Collector(point);
        _ = model.Train(new TapSet([before]));
        bool hasHeads = point == Heads;
        var rows = new Rows(before[point], model, hasHeads ? 4 : 1);
        TapPlaces places = new() { From = 2, Before = 14, Tokens = [.. model.Tokens.Skip(3).Take(5)], Heads = hasHeads ? [1, 3] : [], Units = [0, 2, 3] };
        foreach ((EditConfig edit, Func<Rows, int, int, double[]> expected) in Edits(point, rows.Width))
        {
            var after = new Collector(point);
            _ = model.Train(new TapSet([after], [(some ? edit with { At = places } : edit).MakeEditor(tables)]));
            var found = new Rows(after[point], model, rows.Heads);
            for (int place = 0; place < 2 * model.Time; place++)
            {
                for (int head = 0; head < rows.Heads; head++)
                {
                    int t = place % model.Time;
                    bool isMeant = !some || (t is >= 2 and < 14 && places.Tokens.Contains(model.Tokens[place]) && (!hasHeads || head is 1 or 3));
                    double[] kept = rows[place, head], edited = isMeant ? expected(rows, place, head) : kept;
                    for (int i = 0; i < rows.Width; i++)
                    {
                        bool isUnit = isMeant && (!some || places.Units.Contains(i));
                        Assert.That(found[place, head][i], isUnit ? Is.EqualTo(edited[i]).Within(2e-6) : Is.EqualTo(kept[i]), $"{edit.Kind} {point} place {place}, head {head}, {i}");
                    }
                }
            }
        }
    }

    [Test]
    public void ResampledPlacesHoldWhatStoodAtOthers([Values(1, 2)] int batch)
    {
        using var model = new TinyModel(OneLayer, Backend(), batch: batch);
        var before = new Collector(Stream);
        var after = new Collector(Stream);
        _ = model.Train(new TapSet([before]));
        _ = model.Train(new TapSet([after], [new Ablate(Stream, AblationKind.Resample)]));
        Rows rows = new(before[Stream], model, 1), found = new(after[Stream], model, 1);
        for (int place = 0; place < batch * model.Time; place++)
        {
            // The other row at the same position; of a single row another position.
            int[] donors = batch > 1 ? [(place + model.Time) % (2 * model.Time)] : [.. Enumerable.Range(0, model.Time).Where(t => t != place)];
            Assert.That(donors.Any(donor => rows[donor, 0].SequenceEqual(found[place, 0])), Is.True, $"{place}");
        }
    }

    [Test]
    public void AnAblatedPatternIsTheMeanOrThatOfAnotherRow()
    {
        using var model = new TinyModel(OneLayer, Backend());
        Collector before = new(Pattern), mean = new(Pattern), other = new(Pattern), one = new(Pattern);
        _ = model.Train(new TapSet([before]));
        _ = model.Train(new TapSet([mean], [new Ablate(Pattern, AblationKind.Mean)]));
        _ = model.Train(new TapSet([other], [new Ablate(Pattern, AblationKind.Resample)]));
        _ = model.Train(new TapSet([one], [new Ablate(Pattern).At(new TapPlaces { Positions = [5], Heads = [2], Units = [0, 1] })]));
        double[] values = before[Pattern];
        int half = values.Length / 2;
        Numbers.AssertClose(mean[Pattern], [.. values.Select((_, i) => (values[i % half] + values[(i % half) + half]) / 2)], 1e-6, "mean");
        Assert.That(other[Pattern], Is.EqualTo(values.Skip(half).Concat(values.Take(half))));
        Assert.That(one[Pattern], Is.EqualTo(values.Select((v, i) => i / 256 % 4 == 2 && i / 16 % 16 == 5 && i % 16 < 2 ? 0 : v)));
    }

    /// <summary>Scores that are edited are those that weights are made of; masked keys stay masked.</summary>
    [Test]
    public void EditedScoresMakeTheWeights()
    {
        using var model = new TinyModel(OneLayer, Backend());
        const string scores = "blocks.0.attn.hook_attn_scores";
        Collector before = new(Pattern), after = new(Pattern);
        double[] plain = model.Logits(model.Tokens, taps: new TapSet([before]));
        Numbers.AssertClose(model.Logits(model.Tokens, taps: new TapSet([], [new Ablate(scores).At(new TapPlaces { Before = 1 })])), plain, 1e-5, "the first place sees itself alone");
        _ = model.Logits(model.Tokens, taps: new TapSet([after], [new Ablate(scores)]));
        Numbers.AssertClose(after[Pattern], [.. Enumerable.Range(0, 2048).Select(i => i % 16 <= i / 16 % 16 ? 1.0 / ((i / 16 % 16) + 1) : 0)], 1e-6, "equal scores");
    }

    [Test]
    public void GradientsFlowThroughEditsAsThroughThePlainFormulas([Values(Stream, Heads)] string point)
    {
        using var model = new TinyModel(OneLayer, Backend(), DType.Float64);
        using var tables = new TableStore(model.Store.Backend, DType.Float64);
        TapPlaces places = new() { From = 3, Heads = point == Heads ? [1] : [] };
        // Constants, as means are, have no gradient by finite differences.
        foreach ((EditConfig edit, _) in Edits(point, point == Heads ? 4 : 16).Where(e => e.Edit is not AblateConfig { Mode: AblationKind.Mean }))
        {
            using var gradients = new GradCheck(model.Store, model.RecordLoss, new TapSet([], [(edit with { At = places }).MakeEditor(tables)]));
            GradientDifference worst = gradients.Worst(elements: 0);
            Assert.That(worst.Relative, Is.LessThan(1e-6), $"{edit.Kind} {point}: {worst}");
        }
    }

    /// <summary>All points of a kind that can be edited while decoding, each in one way: a run with a cache gives what one without gives.</summary>
    [TestCaseSource(nameof(Variants))]
    public void EditsHoldWhileDecodingWithACache(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        using var tables = new TableStore(model.Store.Backend, DType.Float32);
        var shapes = new Collector("*");
        _ = model.Logits(model.Tokens, taps: new TapSet([shapes]));
        TapPlaces places = new() { From = 3, Positions = [.. Enumerable.Range(0, 13)], Tokens = [.. model.Tokens.Where((_, i) => i % 2 == 0)] };
        EditConfig[] edits =
        [
            .. model.Model.TapPoints.Where(point => !point.IsReadOnly && !NotWhileDecoding(config, point.Name)).Select((point, i) =>
            {
                (_, int[] shape, _) = shapes.Read.First(r => r.Name == point.Name);
                double[] vector = Numbers.Uniform(point.Name, shape[^1], -0.5, 0.5);
                EditConfig edit = (i % 4) switch
                {
                    0 => new SteerConfig { Direction = vector },
                    1 => new ProjectConfig { Directions = [vector] },
                    2 => new PatchConfig { Value = vector },
                    _ => new AblateConfig(),
                };
                return edit with { Points = point.Name, At = shape.Length > 2 ? places : null };
            }),
        ];
        TapSet Taps() => new([], edits.Select(edit => edit.MakeEditor(tables)));
        double[] whole = model.Logits(model.Tokens, taps: Taps());
        Assert.That(whole, Is.Not.EqualTo(model.Logits(model.Tokens)));
        using var decoding = new Decoding(model, 4, Taps());
        Numbers.AssertClose(decoding.Run((row, call) => 1 + ((row + call) % 4)), whole, 2e-5, "with a cache");
    }

    [Test]
    public void WhatCannotBeEditedIsSaid()
    {
        using var model = new TinyModel(OneLayer, Backend());
        using var tables = new TableStore(model.Store.Backend, DType.Float32);
        void Fails(EditConfig edit, string message, bool decoding = false) => Assert.That(
            () => { using var _ = decoding ? new Decoding(model, 1, new TapSet([], [edit.MakeEditor(tables)])) : null; return decoding ? [] : model.Logits(model.Tokens, taps: new TapSet([], [edit.MakeEditor(tables)])); },
            Throws.TypeOf<UserException>().With.Message.EqualTo(message));

        Fails(new AblateConfig { Points = Heads, At = new TapPlaces { Heads = [4] } }, $"tap {Heads}: has 4 heads, from 0, so that there is no 4");
        Fails(new AblateConfig { Points = Stream, At = new TapPlaces { Heads = [0] } }, $"tap {Stream}: Float32[2, 16, 16] has no heads, so that some of them cannot be chosen");
        Fails(new ProjectConfig { Points = Stream, Directions = [[1, 2]] }, $"tap {Stream}: directions of 2 numbers are given, but it has 16 elements in its last dimension");
        Fails(new PatchConfig { Points = Stream, From = new PatchSource { Position = 16 } }, $"tap {Stream}: there is no position 16 among 16");
        Fails(new AblateConfig { Points = Pattern }, $"tap {Pattern}: cannot be edited while decoding with a cache", decoding: true);
        Fails(new AblateConfig { Points = Stream, Mode = AblationKind.Mean }, $"tap {Stream}: the mean over a text is not known while decoding with a cache; patch with its values in its place", decoding: true);
        Fails(new AblateConfig { Points = Stream, Mode = AblationKind.Resample }, $"tap {Stream}: there are no other places to draw from while decoding with a cache; patch with values in its place", decoding: true);
        Fails(new AblateConfig { Points = Stream, At = new TapPlaces { Positions = [-1] } }, $"tap {Stream}: position -1 counts from the end, which is not known while decoding with a cache", decoding: true);
        Fails(new PatchConfig { Points = Stream, From = new PatchSource { Position = 2 } },
            $"tap {Stream}: cannot be patched from another position while decoding with a cache; give the prompt with it, as in {{\"prompt\": …, \"position\": 2}}", decoding: true);
    }

    private static bool NotWhileDecoding(ModelConfig config, string point) => point.EndsWith("hook_pattern", StringComparison.Ordinal) || point.EndsWith("hook_attn_scores", StringComparison.Ordinal)
        || (config.Mixer is NanoFold.Engine.Mixers.LatentAttentionConfig && (point.EndsWith("hook_k", StringComparison.Ordinal) || point.EndsWith("hook_v", StringComparison.Ordinal)));

    /// <summary>A value [B, T, H, D] by place and head.</summary>
    private sealed class Rows(double[] values, TinyModel model, int heads)
    {
        public int Heads => heads;

        public int Time => model.Time;

        public int Width => values.Length / (model.Batch * model.Time * heads);

        public double[] this[int place, int head] => values[(((place * heads) + head) * Width)..(((place * heads) + head + 1) * Width)];

        public double[] Mean(int head) => [.. Enumerable.Range(0, Width).Select(i => Enumerable.Range(0, model.Batch * model.Time).Average(place => this[place, head][i]))];
    }
}
