using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Runs.Scoring;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs.Scoring;

/// <summary>Scores of a text token by token, in windows of training and in sliding ones, and of questions from the command line.</summary>
[NonParallelizable]
public sealed class TextScoringTests
{
    private TrainRig _rig = null!;

    [OneTimeSetUp]
    public void Begin()
    {
        _rig = new TrainRig();
        _rig.Train("run");
    }

    [OneTimeTearDown]
    public void End() => _rig.Dispose();

    [TestCase(0, 8, 3, "")]
    [TestCase(5, 8, 3, "0+5<0.5")]
    [TestCase(8, 8, 8, "0+8<0.8")]
    [TestCase(11, 8, 8, "0+8<0.8 8+3<3.8")]
    [TestCase(14, 8, 3, "0+8<0.8 8+3<3.8 11+3<6.8")]
    [TestCase(12, 8, 3, "0+8<0.8 8+3<3.8 11+1<4.8")]
    public void WindowsAskAboutEachTokenOnceAndAreFull(int targets, int context, int stride, string windows) => Assert.That(
        string.Join(' ', SlidingWindows.Over(targets, context, stride).Select(w => FormattableString.Invariant($"{w.First}+{w.Count}<{w.Start}.{w.Length}"))), Is.EqualTo(windows));

    /// <summary>Padding to a few lengths changes nothing; with a stride of 1 every token has all that the model can read before it.</summary>
    [Test]
    public void ScoresAreThoseOfTheTokensBefore()
    {
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(_rig["run"], backend);
        using Corpus corpus = Corpus.Open(_rig.TextPath);
        List<PlacedScore> windows = [], slid = [];
        TextScores plain = trained.ScoreTokens(corpus, TextPart.All, stride: null, windows.Add);
        TextScores sliding = trained.ScoreTokens(corpus, TextPart.All, stride: 1, slid.Add);
        Evaluation evaluation = trained.Evaluate(corpus);

        Assert.That(plain.Evaluation.Loss, Is.EqualTo(evaluation.Loss).Within(1e-6));
        Assert.That((plain.Evaluation.Tokens, plain.Evaluation.Bytes), Is.EqualTo((evaluation.Tokens, evaluation.Bytes)));
        Assert.That(windows.Average(token => token.Score.Nats), Is.EqualTo(plain.Evaluation.Loss).Within(1e-12));
        Assert.That(slid.Select(token => (token.Position, token.Score.Token)), Is.EqualTo(TrainRig.Text.Select((c, i) => ((long)i, (int)c)).Skip(1)));
        Assert.That(sliding.Words, Is.EqualTo(TrainRig.Text[1..].Split([' ', '\n']).Length));
        Assert.That(sliding.WordPerplexity, Is.EqualTo(Math.Exp(slid.Sum(token => token.Score.Nats) / sliding.Words)).Within(1e-9));

        using var scorer = new RowScorer(trained.Model);
        foreach (int place in new[] { 5, 700, 1499 })
        {
            int start = Math.Max(0, place - 8);
            int[] read = [.. TrainRig.Text[start..place].Select(c => (int)c)];
            int[] targets = [.. Enumerable.Repeat(-1, read.Length - 1), TrainRig.Text[place]];
            TokenScore alone = default;
            scorer.Score([new ScoredRow(0, read, targets)], (_, scores) => alone = scores[0]);
            Assert.That(slid[place - 1].Score.Nats, Is.EqualTo(alone.Nats).Within(1e-6), $"place {place}");
            Assert.That((slid[place - 1].Score.Rank == 0, alone.IsGreedy), Is.EqualTo((alone.IsGreedy, slid[place - 1].Score.IsGreedy)));
        }
    }

    [Test]
    public void EveryTokenHasALine()
    {
        File.WriteAllText(_rig["odd.txt"], "a\tb\\ \u00e9\n");
        JsonObject result = CommandLine.Json("eval", "--model", _rig["run"], "--data", _rig["odd.txt"], "--per-token", _rig["tokens.tsv"], "--stride", "4", "--threads", "1");
        string[][] lines = [.. File.ReadAllLines(_rig["tokens.tsv"]).Select(line => line.Split('\t'))];
        Assert.That(string.Join(' ', lines[0]), Is.EqualTo("document position token text bytes nats rank entropy predicted probability"));
        Assert.That(lines.Skip(1).Select(line => line[3]), Is.EqualTo(new[] { "\\t", "b", "\\\\", " ", "\\xc3", "\\xa9", "\\n" }));
        Assert.That(lines.Skip(1).Average(line => double.Parse(line[5], CultureInfo.InvariantCulture)), Is.EqualTo(result["loss"]!.GetValue<double>()).Within(1e-6));
        Assert.That((result["stride"]!.GetValue<int>(), result["tokens"]!.GetValue<int>()), Is.EqualTo((4, 7)));
    }

    [Test]
    public void QuestionsAreAskedFromTheCommandLine()
    {
        File.WriteAllText(_rig["q.jsonl"], """{"query": "no. 003:", "choices": ["v cat", "zzz"], "gold": 0}""" + "\n" + """{"query": "sat on", "choices": ["@@", "mat"], "gold": 1}""" + "\n");
        File.WriteAllText(_rig["w.jsonl"], """{"text": "a cat sat on mat"}""" + "\n");
        JsonObject result = CommandLine.Json("eval", "--model", _rig["run"], "--items", _rig["q.jsonl"], "--items", _rig["w.jsonl"], "--per-item", _rig["items.jsonl"], "--per-token", _rig["t.tsv"], "--threads", "1");
        JsonObject[] items = [.. File.ReadAllLines(_rig["items.jsonl"]).Select(line => JsonNode.Parse(line)!.AsObject())];
        Assert.That(items, Has.Length.EqualTo(3));
        Assert.That(result["questions"]![0]!["accuracy"]!.GetValue<double>(), Is.EqualTo(items[..2].Average(item => item["predicted"]!.GetValue<int>() == item["gold"]!.GetValue<int>() ? 1.0 : 0)));
        Assert.That(result["calibration"]!["answers"]!.GetValue<int>(), Is.EqualTo(2));
        Assert.That(result["questions"]![1]!["perplexity"]!.GetValue<double>(), Is.EqualTo(Math.Exp(-items[2]["logLikelihoods"]![0]!.GetValue<double>())).Within(1e-9));
        // " v cat", " zzz", " @@", " mat", " mat": as many lines as bytes.
        Assert.That(File.ReadAllLines(_rig["t.tsv"]), Has.Length.EqualTo(1 + 6 + 4 + 3 + 4 + 4));
    }

    [TestCase("--stride", "9", "--stride 9: the model reads 8 tokens at a time")]
    [TestCase("--per-token", ".", "--per-token .: is a folder; name a file")]
    [TestCase("--per-item", "x.jsonl", "--per-item: goes with --items")]
    [TestCase("--items", "none.jsonl", "cannot read none.jsonl")]
    public void WhatDoesNotGoIsALine(string option, string value, string message)
    {
        CommandLine run = CommandLine.Run("eval", "--model", _rig["run"], "--threads", "1", option, value);
        Assert.That((run.Code == 0, run.ErrorLines.Length), Is.EqualTo((false, 1)), run.Error);
        Assert.That(run.Error, Does.Contain(message));
    }
}
