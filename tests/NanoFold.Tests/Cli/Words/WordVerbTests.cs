using System.Text.Json.Nodes;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli.Words;

/// <summary>The verbs <c>neighbors</c> and <c>memories</c> on a small run.</summary>
[NonParallelizable]
public sealed class WordVerbTests
{
    private TrainRig _rig = null!;

    private string Model => _rig["run"];

    [OneTimeSetUp]
    public void Train()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.steps=4");
    }

    [OneTimeTearDown]
    public void Clean() => _rig.Dispose();

    [Test]
    public void NeighborsOfWordsAnalogiesAndRelationsAreGiven()
    {
        string relations = _rig.Write("relations.tsv", "next\ta\tb\nnext\tc\td\nnext\te\tf\n");
        JsonObject result = CommandLine.Json("neighbors", "a", "cat", "--model", Model, "--analogy", "a b c", "--relations", relations, "--at", "embedding,1", "--top", "3", "--tokens", "200");
        JsonArray places = result["places"]!.AsArray();
        Assert.That(places.Select(place => place!["at"]!.GetValue<string>()), Is.EqualTo(new[] { "embedding", "1" }));
        Assert.That(places[0]!["tokens"]!.GetValue<int>(), Is.EqualTo(256));
        Assert.That(places[1]!["tokens"]!.GetValue<int>(), Is.InRange(20, 60), "those of the text");
        JsonNode words = places[0]!["words"]!;
        Assert.That(words[0]!["tokens"]!.AsArray().Select(token => token!.GetValue<int>()), Is.EqualTo(new[] { 97 }));
        Assert.That(words[1]!["tokens"]!.AsArray(), Has.Count.EqualTo(3));
        double[] cosines = [.. words[0]!["nearest"]!.AsArray().Select(one => one!["cosine"]!.GetValue<double>())];
        Assert.That(cosines, Has.Length.EqualTo(3).And.Ordered.Descending);
        Assert.That(places[0]!["analogies"]![0]!["nearest"]!.AsArray(), Has.Count.EqualTo(3));
        Assert.That(places[0]!["relations"]![0]!["pairs"]!.GetValue<int>(), Is.EqualTo(3));
        Assert.That(places[0]!["relations"]![0]!["consistency"]!.GetValue<double>(), Is.InRange(-1, 1));

        string text = CommandLine.Run("neighbors", "a", "--model", Model, "--tokens", "100").Standard;
        Assert.That(text, Does.Contain("embedding: 256 tokens, mean taken off").And.Contain("layer 1, mean over").And.Contain("  a: "));
    }

    [Test]
    public void UnitsPredictionsAndRewritesAreGiven()
    {
        JsonObject units = CommandLine.Json("memories", "units", "--model", Model, "--layers", "1", "--show", "2", "--top", "3", "--tokens", "200");
        JsonNode layer = units["layers"]![0]!;
        Assert.That((layer["layer"]!.GetValue<int>(), layer["units"]!.GetValue<int>(), layer["places"]!.GetValue<long>()), Is.EqualTo((1, 24, 175L)));
        Assert.That(layer["shown"]!.AsArray().Select(unit => unit!["contexts"]!.AsArray().Count), Is.EqualTo(new[] { 3, 3 }));
        Assert.That(layer["shown"]![0]!["promotes"]!.AsArray(), Has.Count.EqualTo(3));

        JsonObject predict = CommandLine.Json("memories", "predict", "--model", Model, "--prompt", "cat sat", "--token", "o", "--top", "3");
        Assert.That((predict["token"]!.GetValue<int>(), predict["text"]!.GetValue<string>()), Is.EqualTo(((int)'o', "o")));
        Assert.That(predict["carriers"]!.AsArray(), Has.Count.EqualTo(3));
        Assert.That(predict["carriers"]!.AsArray().Select(one => one!["withoutIt"]), Is.All.Not.Null);

        JsonObject rewrite = CommandLine.Json("memories", "rewrite", "--model", Model, "--unit", "1.5", "--token", "z", "--strength", "50", "--tokens", "64");
        Assert.That(rewrite["before"]!["divergence"]!.GetValue<double>(), Is.Zero);
        Assert.That(rewrite["after"]!["divergence"]!.GetValue<double>(), Is.GreaterThan(0));
        foreach (string part in new[] { "units --tokens 64", "predict --prompt cat", "rewrite --unit 0.3 --token z --tokens 64" })
        {
            CommandLine run = CommandLine.Run(["memories", .. part.Split(' '), "--model", Model]);
            Assert.That(run.Code, Is.Zero, run.Error);
            Assert.That(run.Standard.Split('\n').Where(line => !line.StartsWith("layer", StringComparison.Ordinal)), Is.All.Matches<string>(line => line.Length <= 110));
        }
    }

    [TestCase("nothing to show", "neighbors")]
    [TestCase("'' is no word", "neighbors", "")]
    [TestCase("--at 7: the model has embedding, 0, 1", "neighbors", "a", "--at", "7")]
    [TestCase("--analogy 'a b': expected three words", "neighbors", "--analogy", "a b")]
    [TestCase("expected LAYER.UNIT", "memories", "rewrite", "--unit", "x", "--token", "z")]
    [TestCase("the model has 2 layers", "memories", "rewrite", "--unit", "9.0", "--token", "z")]
    [TestCase("unit 99: layer 0 has 24 units", "memories", "rewrite", "--unit", "0.99", "--token", "z")]
    [TestCase("--prompt: has 12 tokens; expected 1 to 8", "memories", "predict", "--prompt", "0123456789ab")]
    [TestCase("--layers 5: the model has 2 layers", "memories", "units", "--layers", "5")]
    public void WhatIsWrongIsOneLine(string expected, params string[] args)
    {
        CommandLine run = CommandLine.Run([.. args, "--model", Model]);
        Assert.That(run.Code, Is.EqualTo(2), run.Error);
        Assert.That(run.ErrorLines[0], Does.Contain(expected));
    }
}
