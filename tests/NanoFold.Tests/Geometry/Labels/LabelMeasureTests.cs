using NanoFold.Engine;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Labels;

/// <summary>Measures of classes, contexts and pairs on small models, where it is known what comes out.</summary>
public sealed class LabelMeasureTests : EngineTests
{
    private static readonly ModelConfig s_model = new() { Layers = 2, Width = 32, Heads = 2, Context = 64, Hidden = 48 };

    /// <summary>An embedding is a point for each word: words are one class each, and parts of speech can be read from it but not from shuffled ones.</summary>
    [Test]
    public void WordsOfTheEmbeddingAreApartAndTheirPartsOfSpeechCanBeRead()
    {
        var config = new GrammarConfig { Facts = 0.1 };
        using var model = new TinyModel(config.Fit(s_model).Resolve(), Backend());
        using LearningTask task = config.Open(new TaskContext { Model = model.Model.Config, Seed = 1 });
        Measure[] measures = [new SeparabilityMeasure(), new SeparabilityMeasure { Label = "token", LeastTokens = 10 }, new ProbeMeasure { Label = "partOfSpeech" }, new UnitSparsityMeasure()];
        using var probe = new GeometryProbe(model.Model, task, ProbeShape.Of(1000, 100, 64), measures);
        probe.Read();
        List<Measured> taken = [];
        probe.Run(1, [0, 1, 2, 3], (number, placed) =>
        {
            var figures = new FigureWriter();
            placed.Take(figures);
            taken.Add(new Measured(measures[number], placed.Place, 1, figures.Figures));
        }, () => true);
        double Value(int measure, string point, string figure) => taken.Single(one => one.Measure == measures[measure] && one.Place.Point == point).Figures.Single(f => f.Name == figure).Value ?? double.NaN;

        Assert.That(taken.Where(one => one.Measure == measures[0]).Select(one => one.Place.Point), Is.EqualTo(new[]
        {
            "blocks.0.hook_resid_pre", "blocks.0.hook_resid_mid", "blocks.0.hook_resid_post", "blocks.1.hook_resid_mid", "blocks.1.hook_resid_post",
        }));
        Assert.That(Value(1, "blocks.0.hook_resid_pre", "nc1.token"), Is.EqualTo(0).Within(1e-9));
        Assert.That(Value(1, "blocks.0.hook_resid_pre", "cdnv.token"), Is.EqualTo(0).Within(1e-9));
        Assert.That(Value(1, "blocks.0.hook_resid_pre", "nearestMean.token"), Is.EqualTo(1));
        Assert.That(Value(1, "blocks.1.hook_resid_post", "nc1.token"), Is.GreaterThan(1e-3), "contexts move words");
        Assert.That(taken[0].Figures.Select(f => f.Name), Is.SupersetOf(new[] { "nc1.partOfSpeech", "cdnv.number", "nearestMean.gender", "nearestMean.role", "nc1.agreement", "nc1.next", "mostFrequent.referent" }));
        Assert.That(Value(0, "blocks.0.hook_resid_pre", "nearestMean.agreement"), Is.LessThan(0.8), "the number of a verb that is to come is not in the word itself");

        double ridge = Value(2, "blocks.0.hook_resid_pre", "ridge.partOfSpeech"), logistic = Value(2, "blocks.0.hook_resid_pre", "logistic.partOfSpeech");
        Assert.That(new[] { ridge, logistic }, Is.All.GreaterThan(0.75), "of 67 words in 32 dimensions");
        Assert.That(new[] { Value(2, "blocks.0.hook_resid_pre", "ridgeShuffled.partOfSpeech"), Value(2, "blocks.0.hook_resid_pre", "mostFrequent.partOfSpeech") }, Is.All.LessThan(0.5));
        Assert.That(Value(3, "blocks.1", "active"), Is.InRange(0.5, 1));
    }

    /// <summary>Before any attention a word is the same in all contexts; after it the two kinds of context are apart.</summary>
    [Test]
    public void AWordIsTheSameBeforeAttentionAndApartAfterIt()
    {
        using var files = new TemporaryFolder();
        string red = Write(files, "red.txt", string.Join('\n', Enumerable.Range(0, 8).Select(i => $"{(char)('a' + i)}red red red 苹果"))), blue = Write(files, "blue.txt", string.Join('\n', Enumerable.Range(0, 8).Select(i => $"{(char)('a' + i)}so so so 苹果 it")) + "\nnothing here");
        using var model = new TinyModel(s_model with { Vocab = 256 }, Backend());
        var figures = new FigureWriter(wantsArrays: true);
        new ContextMeasure { Word = "苹果", First = red, Second = blue }.Take(Network(model), figures);
        Measured Of(string point) => figures.ByPlace(NetworkMeasure.Place).Where(one => one.Place.Point == point).Select(one => new Measured(new ContextMeasure(), one.Place, 0, one.Written.Figures)).Single();
        double? Value(string point, string name) => Of(point).Figures.Single(f => f.Name == name).Value;
        Assert.That(Of("blocks.0.hook_resid_pre").Figures.Single(f => f.Name == "ratio").Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(Value("blocks.0.hook_resid_pre", "distance"), Is.EqualTo(0).Within(1e-6));
        Assert.That(Value("blocks.1.hook_resid_post", "ratio"), Is.GreaterThan(3 * Value("blocks.1.hook_resid_post", "ratioByChance")!.Value));
        Assert.That(Value("blocks.1.hook_resid_post", "nearestMean"), Is.EqualTo(1));
        Assert.That(figures.Arrays.Select(array => (array.Name, string.Join(' ', array.Shape))), Is.EqualTo(new[] { ("coordinates", "16 3 3"), ("shares", "3"), ("contexts", "16") }));
        Assert.That(() => new ContextMeasure { Word = "nothing", First = red, Second = blue }.Take(Network(model), new FigureWriter()), Throws.InstanceOf<UserException>().With.Message.Contains("0 of 8 lines have the word"));
        Assert.That(new ContextMeasure { First = red, Second = blue }.Validate("m").Select(problem => problem.Path), Is.EqualTo(new[] { "m.word" }));
    }

    [Test]
    public void AWordIsFoundAsAWordAndPooledOverItsTokens()
    {
        var bytes = new ByteTokenizer();
        IReadOnlyList<WordContext> Find(string word, params string[] lines) => WordContext.Find(bytes, word, lines, 16);
        Assert.That(Find("apple", "pineapple", "apples", "an apple.", "apple and pineapple").Select(one => (bytes.DecodeText(one.Tokens), one.Length)), Is.EqualTo(new[] { ("an apple", 5), ("apple", 5) }));
        Assert.That(Find("苹果", "我吃苹果了")[0].Length, Is.EqualTo(6), "bytes");
        Assert.That(bytes.DecodeText(Find("b", "a b", "0123456789012345 b")[1].Tokens), Is.EqualTo("23456789012345 b"), "the last of the context");
    }

    /// <summary>Each pair stands there both ways round: whatever a model says, no area differs from a half.</summary>
    [Test]
    public void PairsBothWaysRoundAreToldApartByChance()
    {
        using var files = new TemporaryFolder();
        string path = Write(files, "pairs.tsv", "the cat sees\tthe cat see,\tone\nthe cat see,\tthe cat sees\tone\na b c d\ta b x d\na b x d\ta b c d\n");
        using var model = new TinyModel(s_model with { Vocab = 256 }, Backend());
        var figures = new FigureWriter();
        new MinimalPairMeasure { File = path, Ordinary = 100 }.Take(Network(model), figures);
        Figure[] all = [.. figures.ByPlace(NetworkMeasure.Place).SelectMany(one => one.Written.Figures)];
        Assert.That(all.Select(f => f.Name).Distinct(), Is.SupersetOf(new[] { "lossAuc", "lossAuc.one", "lossPaired.all", "curvatureAuc", "offManifoldAuc", "offManifoldPaired.one" }));
        Assert.That(all.Select(f => f.Value), Is.All.EqualTo(0.5).Within(1e-12));
        Assert.That(() => new MinimalPairMeasure { File = Write(files, "bad.tsv", "only one\n") }.Take(Network(model), figures), Throws.InstanceOf<UserException>().With.Message.Contains("line 1: expected the right and the wrong text"));
        Assert.That(() => new MinimalPairMeasure { File = Write(files, "none.tsv", "\n") }.Take(Network(model), figures), Throws.InstanceOf<UserException>().With.Message.Contains("has no pair of texts of at most"));
    }

    /// <summary>Sequences of several lengths run together have the losses that each has alone.</summary>
    [Test]
    public void LossesOfSequencesAreThoseOfTheirOwn()
    {
        using var model = new TinyModel(s_model with { Vocab = 23 }, Backend());
        int[][] sequences = [[1, 2, 3], [4, 5], [7, 8, 9], [6, 7, 8, 9, 10]];
        float[][] losses = new float[sequences.Length][];
        new SequenceRuns { ReadLosses = (number, values) => losses[number] = values }.Run(model.Model, sequences);
        for (int i = 0; i < sequences.Length; i++)
        {
            double[] logits = model.Logits([.. sequences[i], .. sequences[i]]);
            double[] expected = [0, .. Enumerable.Range(0, sequences[i].Length - 1).Select(t => Nats(logits.AsSpan(t * 23, 23), sequences[i][t + 1]))];
            Assert.That(losses[i], Is.EqualTo(expected).Within(1e-4));
        }
    }

    [Test]
    public void WhatTheHeadReadsIsMeasuredByTheNextToken()
    {
        using var model = new TinyModel(s_model with { Vocab = 8 }, Backend());
        NetworkSample network = Network(model, 8);
        var figures = new FigureWriter();
        new CollapseMeasure().Take(network, figures);
        double?[] values = [.. figures.Figures.Select(f => f.Value)];
        Assert.That(figures.Figures.Select(f => f.Name), Is.EqualTo(new[] { "nc1", "cdnv", "meanCosine", "nearestMean", "agreement" }));
        Assert.That(figures.Figures.Select(f => f.Points), Is.All.EqualTo(network.Targets.Where((target, i) => i % 64 > 0 && target >= 0).Count()));
        Assert.That(values[4], Is.InRange(0.01, 0.6), "next tokens that are chance are no reason to agree");
        Assert.That(values[2], Is.InRange(-1, 0), "centered");
    }

    private static string Write(TemporaryFolder folder, string name, string text)
    {
        File.WriteAllText(folder[name], text);
        return folder[name];
    }

    private static double Nats(ReadOnlySpan<double> logits, int token)
    {
        double largest = double.NegativeInfinity, sum = 0;
        foreach (double logit in logits)
        {
            largest = Math.Max(largest, logit);
        }

        foreach (double logit in logits)
        {
            sum += Math.Exp(logit - largest);
        }

        return largest + Math.Log(sum) - logits[token];
    }

    private static NetworkSample Network(TinyModel model, int vocab = 256)
    {
        ProbeShape shape = ProbeShape.Of(256, 100, 64);
        var task = new RandomTokens(vocab, 1);
        var rows = new BatchRows(task.Fields(shape.Time), shape.Batch);
        rows.Fill(task, TaskSplit.Validation, 0, shape.Batch, shape.Batch);
        int[] tokens = rows.Integers(BatchField.Tokens).ToArray(), targets = rows.Integers(BatchField.Targets).ToArray();
        SampledRows points = SampledRows.Points(shape, 1);
        points.Read(tokens, new int[tokens.Length]);
        return new NetworkSample
        {
            Model = model.Model, Tokenizer = new ByteTokenizer(), Task = task, Shape = shape, Rows = rows, Tokens = tokens, Documents = new int[tokens.Length], Targets = targets,
            Labels = LabelColumn.Always(tokens, targets, shape.Time), Points = points, Seed = 1,
        };
    }
}
