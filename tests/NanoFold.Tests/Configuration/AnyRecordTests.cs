using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Configuration;

/// <summary>Any record is bound as a run's configuration is: here one that holds a base, what variants change of it, and numbers.</summary>
public class AnyRecordTests
{
    private const string Json =
        """
        {
          "base": { "model": { "layers": 2, "mixer": "sliding-window" } },
          "seeds": [1, 2],
          "variants": {
            "wide": { "model": { "width": 256 } },
            "short": { "model": { "mixer": { "window": 8 } } },
            "wrong": {
              "model": { "widht": 256,
                "heads": 0 }
            }
          },
          "limits": { "b": { "most": 3 }, "a": {} }
        }
        """;

    [Test]
    public void OverlaysAreLaidOverABaseAsLayersAre()
    {
        Comparison read = new ConfigTree<Comparison>().AddJson(Json, "c.json").Set("variants.wide.model.mixer=attention").Build();
        RunConfig wide = Variant(read, "wide"), narrow = Variant(read, "short");
        Assert.Multiple(() =>
        {
            Assert.That(read.Seeds, Is.EqualTo(new long[] { 1, 2 }));
            Assert.That(read.Variants.Keys, Is.EqualTo(new[] { "wide", "short", "wrong" }), "in the order of the file");
            Assert.That((wide.Model.Layers, wide.Model.Width, wide.Model.Mixer.Kind), Is.EqualTo((2, 256, "attention")));
            Assert.That((narrow.Model.Layers, ((SlidingWindowConfig)narrow.Model.Mixer).Window), Is.EqualTo((2, 8)));
        });
    }

    [Test]
    public void AProblemOfAnOverlayIsToldWithItsFileAndLine()
    {
        Comparison read = new ConfigTree<Comparison>().AddJson(Json, "c.json").Build();
        var fault = Assert.Throws<ConfigException>(() => Variant(read, "wrong"));
        Assert.That(fault!.Problems.Select(problem => problem.ToString()), Is.EqualTo(new[]
        {
            "c.json:8: model.widht: unknown key; did you mean model.width?",
            "c.json:9: model.heads: expected an integer of at least 1 and at most 4096, got 0",
        }));
    }

    [Test]
    public void RecordsByNameKeepWhatTheyDoNotName()
    {
        Comparison read = new ConfigTree<Comparison>().AddJson(Json, "c.json").Set("limits.a.most=5").Build();
        Assert.That(read.Limits.Select(pair => (pair.Key, pair.Value.Most, pair.Value.Least)), Is.EqualTo(new[] { ("b", 3, 1), ("a", 5, 1) }));
    }

    [TestCase("""{ "seed": [1] }""", "c.json:1: seed: unknown key; did you mean seeds?", TestName = "An unknown key")]
    [TestCase("""{ "seeds": [1, "x"] }""", "c.json:1: seeds.1: expected an integer, got \"x\"", TestName = "A wrong element")]
    [TestCase("""{ "variants": [] }""", "c.json:1: variants: expected records by name { \"name\": … }, got []", TestName = "A list for records by name")]
    [TestCase("""{ "variants": { "a": 3 } }""", "c.json:1: variants.a: expected settings { … }, got 3", TestName = "A number for settings")]
    [TestCase("""{ "limits": { "a": { "most": 0 } } }""", "c.json:1: limits.a.most: expected an integer of at least 1, got 0", TestName = "A number out of bounds")]
    [TestCase("""{ "limits": { "a": { "least": 9 } } }""", "c.json:1: limits: most is less than least", TestName = "An inconsistency")]
    public void EveryProblemHasItsKeyAndLine(string json, string problem)
    {
        var fault = Assert.Throws<ConfigException>(() => new ConfigTree<Comparison>().AddJson(json, "c.json").Build());
        Assert.That(fault!.Problems.Single().ToString(), Is.EqualTo(problem));
    }

    [Test]
    public void WhatIsReadIsWrittenAgain()
    {
        Comparison read = new ConfigTree<Comparison>().AddJson(Json, "c.json").Build();
        string text = ConfigJson.ToText(ConfigWriter.ToTree(read, typeof(Comparison))!);
        Comparison again = new ConfigTree<Comparison>().AddJson(text, "again").Build();
        Assert.Multiple(() =>
        {
            Assert.That(ConfigJson.ToText(ConfigWriter.ToTree(again, typeof(Comparison))!), Is.EqualTo(text));
            Assert.That(text, Does.Contain("\"widht\": 256"), "settings are kept as they were written");
        });
    }

    private static RunConfig Variant(Comparison comparison, string name) => new ConfigTree("nano").Add(comparison.Base).Add(comparison.Variants[name]).Build();

    private sealed record Comparison : IValidated
    {
        public ConfigOverlay<RunConfig> Base { get; init; } = new();

        public IReadOnlyList<long> Seeds { get; init; } = [1];

        public IReadOnlyDictionary<string, ConfigOverlay<RunConfig>> Variants { get; init; } = new Dictionary<string, ConfigOverlay<RunConfig>>();

        public IReadOnlyDictionary<string, Limit> Limits { get; init; } = new Dictionary<string, Limit>();

        public IEnumerable<ConfigProblem> Validate() =>
            Limits.Values.Any(limit => limit.Most < limit.Least) ? [new ConfigProblem("limits", "most is less than least")] : [];
    }

    private sealed record Limit
    {
        [Bounds(1)]
        public int Most { get; init; } = 8;

        [Bounds(1)]
        public int Least { get; init; } = 1;
    }
}
