using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Training;

/// <summary>What trains can be opened again, by everything that opens a run: whatever the tokenizer and however short the text.</summary>
[NonParallelizable]
public class OpenedAgainTests
{
    // A text of this kind that is long enough gives a BPE all the symbols that it may have, a shorter one fewer.
    private static readonly string s_english = string.Concat(Enumerable.Range(0, 400).Select(i => $"{Samples.English} {i * i} "));

    [Test, Pairwise]
    public void ARunThatTrainsIsReadEvaluatedContinuedAndTakenUp(
        [Values("bpe", "bpe marked", "byte", "byte marked", "file")] string tokenizer, [Values(20, 400, 9000)] int bytes, [Values("english", "chinese")] string language)
    {
        using var rig = new TrainRig();
        string text = language == "english" ? s_english : string.Concat(Enumerable.Repeat(Samples.Chinese, 40));
        string path = rig.Write("a.txt", text[..Math.Min(bytes, text.Length)]);
        Samples.Bpe.Save(rig["saved"]);
        string[] settings =
        [
            "tokenizer=" + tokenizer.Split(' ')[0], $"data.path={path}", "data.validationFraction=0.5", "model.layers=1", "model.context=2",
            .. tokenizer.EndsWith("marked", StringComparison.Ordinal) ? ["data.documents=mark"] : Array.Empty<string>(),
            .. tokenizer == "file" ? [$"tokenizer.path={rig["saved"]}"] : Array.Empty<string>(),
        ];
        rig.Train("run", ["train.stopAfter=1", "train.steps=2", .. settings]);

        using (var backend = new CpuBackend(1))
        using (TrainedModel trained = TrainedModel.Load(rig["run"], backend))
        {
            Assert.That(trained.Config.Model.Vocab, Is.EqualTo(trained.Tokenizer.Vocab));
            Assert.That(double.IsFinite(trained.Evaluate(Corpus.FromText("x", "some text")).Loss), Is.True);
            using var generator = new Generator(trained.Model, trained.Tokenizer);
            Assert.That(generator.Generate(["a"], trained.Config.Generation with { MaxTokens = 2 }, 1).Samples, Has.Count.EqualTo(1));
        }

        Assert.That(rig.Resume("run").Steps, Is.EqualTo(2));
        rig.Train("again", RunConfig.Load(rig["run"]));
        rig.AssertSame("again", "run", 2);
    }

    /// <summary>A validation part that can say little is noted, and one without tokens; where none was asked for there is nothing to say.</summary>
    [TestCase("data.validationFraction=0.25", "what is held back for validation has only 375 tokens, so its loss says little: use more text, a larger data.validationFraction, or a text of its own (data.validation)")]
    [TestCase("data.validationFraction=0.0001", "what is held back for validation has one token, so there will be no validation loss: use more text, a larger data.validationFraction, or a text of its own (data.validation)")]
    [TestCase("data.validation=v.txt", "the validation text v.txt has only 9 tokens, so its loss says little: give it more")]
    [TestCase("data.validationFraction=0", null)]
    [TestCase("data.validationFraction=0.7", null)]
    public void AValidationPartThatIsTooSmallIsNoted(string setting, string? note)
    {
        using var rig = new TrainRig();
        string own = rig.Write("v.txt", "some text"), place = Path.GetDirectoryName(own)! + Path.DirectorySeparatorChar;
        RunConfig config = rig.Config(setting.Replace("=v.txt", $"={own}", StringComparison.Ordinal));
        using (TokenDataset data = TrainData.Open(config))
        {
            Assert.That(TextTask.DoubtAbout(data, config.Data)?.Replace(place, "", StringComparison.Ordinal), Is.EqualTo(note));
        }

        var notes = new List<string>();
        using var backend = new CpuBackend(1);
        using var session = TrainSession.Open(config, backend, note: notes.Add);
        Assert.That(notes.Select(line => line.Replace(place, "", StringComparison.Ordinal)), Is.EqualTo(note is null ? Array.Empty<string>() : [note]));
    }

    /// <summary>The text that a smaller vocabulary follows from is the common case of a first try: a file of a few kilobytes and a preset.</summary>
    [TestCase(400, 256)]
    [TestCase(9000, 300)]
    public void AShortTextGivesFewerSymbolsThanWereAllowed(int bytes, int least)
    {
        using var rig = new TrainRig();
        rig.Train("run", "tokenizer=bpe", "tokenizer.vocab=30000", $"data.path={rig.Write("a.txt", s_english[..bytes])}", "train.stopAfter=1");
        RunConfig config = RunConfig.Load(rig["run"]);

        Assert.That(((BpeTokenizerConfig)config.Tokenizer).Vocab, Is.EqualTo(30000));
        Assert.That(config.Model.Vocab, Is.GreaterThan(least).And.LessThan(2048).And.EqualTo(Tokenizer.Load(rig.Checkpoint("run", 1)).Vocab));
    }
}
