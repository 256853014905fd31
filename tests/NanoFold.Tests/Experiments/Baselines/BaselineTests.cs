using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Experiments.Baselines;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Tests.Data;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Experiments.Baselines;

/// <summary>What is reached without a neural network: <c>baselines.json</c>.</summary>
[NonParallelizable]
public sealed class BaselineTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = new TrainRig();

    [TearDown]
    public void End() => _rig.Dispose();

    /// <summary>Runs of one text with its tokenizer share one, whatever their model; it is made once.</summary>
    [Test]
    public void ASetHasOneForEachText()
    {
        RunConfig[] runs =
        [
            _rig.Config("train.evaluationWindows=3"), _rig.Config("train.evaluationWindows=3", "model.mixer=gru", "train.seed=2"), _rig.Config("train.evaluationWindows=0", "model.context=16"),
            _rig.Config("data.maskDocuments=true", "data.documents=mark", "train.evaluationWindows=3"), .. new[] { Task("1"), Task("2") },
        ];
        BaselineFile file = BaselineMaker.Make(_rig["."], runs);
        Assert.That(file.Baselines.Select(b => b.Task), Is.EqualTo(new[] { "text", "text", "modular-addition" }));
        Assert.That(runs.Select(run => file.Of(BaselineKey.Of(run))), Is.EqualTo(new[] { 0, 0, 0, 1, 2, 2 }.Select(i => file.Baselines[i])));

        NGramBaseline ngram = file.Baselines[0].NGram!;
        using TokenDataset dataset = TrainData.Open(runs[0]);
        int[] train = Shards.All(dataset.Train), text = Shards.All(dataset.Validation);
        var plain = new PlainKneserNey(train, 256, 5);
        double[] nats = [.. Enumerable.Range(1, text.Length - 1).Select(place => -Math.Log(plain.Of(text[Math.Max(0, place - 4)..place], text[place])))];
        Assert.That((ngram.Order, ngram.TrainTokens, ngram.Targets), Is.EqualTo((5, dataset.Train.Tokens, (long)nats.Length)));
        Assert.That((ngram.Loss, ngram.BitsPerByte!.Value * Math.Log(2)), Is.EqualTo((nats.Average(), nats.Average())).Using<(double, double)>((a, b) => Math.Abs(a.Item1 - b.Item1) + Math.Abs(a.Item2 - b.Item2) < 1e-6));
        // Three of 47 rows of 8 are rows 0, 15 and 31, as an evaluation takes them.
        double three = new[] { 0, 15, 31 }.SelectMany(row => nats[(8 * row)..((8 * row) + 8)]).Average();
        Assert.That(ngram.On(8, 3), Is.EqualTo(new NGramRows(8, 3, 3, ngram.On(8, 3)!.Value.Loss) { BitsPerByte = ngram.On(8, 3)!.Value.BitsPerByte }));
        Assert.That((ngram.On(8, 3)!.Value.Loss, ngram.On(16, 0)!.Value.Loss), Is.EqualTo((three, ngram.Loss)).Using<(double, double)>((a, b) => Math.Abs(a.Item1 - b.Item1) + Math.Abs(a.Item2 - b.Item2) < 1e-6));
        Assert.That(ngram.Breakdowns.Select(b => (b.Axis, b.Bins.Sum(bin => bin.Targets))), Is.EqualTo(new[] { ("frequency", ngram.Targets), ("documentPart", ngram.Targets) }));
        Assert.That(ngram.Breakdowns[1].Bins.Sum(bin => bin.Loss * bin.Targets) / ngram.Targets, Is.EqualTo(ngram.Loss).Within(1e-6));

        Assert.That(file.Baselines[2].Best, Is.EqualTo(new[] { new Score("loss", 0), new Score("accuracy", 1) }));
        Assert.That(file.Baselines[2].Guessing, Does.Contain(new Score("accuracy", 0.2)));

        string path = _rig["baselines.json"], written = File.ReadAllText(path);
        Assert.That(RecordFile.ToBytes(BaselineFile.Find(_rig["."])!), Is.EqualTo(File.ReadAllBytes(path)), "it reads as it was written");
        BaselineMaker.Make(_rig["."], runs);
        Assert.That(File.ReadAllText(path), Is.EqualTo(written), "nothing is made twice");
        BaselineMaker.Make(_rig["."], runs[..1].Append(_rig.Config("train.evaluationWindows=7")));
        Assert.That(BaselineFile.Find(_rig["."])!.Baselines.Single().NGram!.On(8, 7), Is.Not.Null, "rows that were not asked for before");
    }

    /// <summary>After the same text a text costs next to nothing, alone what it costs; what cannot be compressed costs its bytes.</summary>
    [Test]
    public void CompressorsKnowTheTextTrainedOn()
    {
        byte[] noise = new byte[4000];
        new Random(1).NextBytes(noise);
        foreach (CompressorBaseline found in Compressors.All(noise, noise))
        {
            Assert.That((found.Bytes, found.TrainBytes), Is.EqualTo((4000L, 4000L)));
            Assert.That(found.Alone, Is.InRange(8, 8.2), found.Name);
            Assert.That(found.AfterTraining, Is.InRange(0, 0.1), found.Name);
        }

        Assert.That(Compressors.All(noise, noise).Select(found => found.Name), Is.EqualTo(new[] { "xz", "zstd" }));
    }

    /// <summary>On a million characters: liblzma (Python 3.11's lzma, preset 9e, raw) makes 41,030 bytes of the held-back tenth, and 35,113 more of both than of the rest alone.</summary>
    [Test]
    [Category("Long")]
    public void FiguresOfTinyShakespeareAreThoseOfOtherPrograms()
    {
        RunConfig run = new ConfigTree().Set($"data.path={SharedData.Path("tinyshakespeare.txt")}").Set("tokenizer=byte").Set("train.evaluationWindows=256").Build();
        BaselineEntry found = BaselineMaker.Make(_rig["."], [run]).Baselines.Single();
        CompressorBaseline xz = found.Compressors[0];
        Assert.That((xz.Alone * xz.Bytes / 8, xz.AfterTraining * xz.Bytes / 8), Is.EqualTo((41030.0, 35113.0)).Using<(double, double)>((a, b) => Math.Abs(a.Item1 - b.Item1) + Math.Abs(a.Item2 - b.Item2) < 100));
        Assert.That(found.NGram!.Loss, Is.EqualTo(1.5617).Within(0.0001));
        Assert.That(found.NGram.Seconds, Is.LessThan(20));
    }

    private static RunConfig Task(string seed)
        => new ConfigTree().Set("task=modular-addition").Set("task.modulus=5").Set("model.context=9").Set($"train.seed={seed}").Build();
}
