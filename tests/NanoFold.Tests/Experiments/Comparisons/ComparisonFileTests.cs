using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments.Comparisons;

/// <summary>A comparison as it is written: nested and dotted settings, what is short for the base, and what is wrong with it, with file and line.</summary>
public class ComparisonFileTests
{
    private const string Json =
        """
        {
          // What all have in common.
          "base": { "tokenizer": "byte", "model.layers": 2, "model": { "width": 32 }, "train.steps": 20 },
          "equal": "tokens",
          "seeds": [1, 2, 3],
          "learningRates": { "from": 1e-4, "to": 1e-2, "count": 3 },
          "variants": {
            "attention": {},
            "window": { "model.mixer": "sliding-window", "model.mixer.window": 8 },
            "short window": { "model": { "mixer": { "kind": "sliding-window", "window": 4 } } },
          },
          "data": "text.txt",
        }
        """;

    [Test]
    public void NestedAndDottedSettingsMeanTheSame()
    {
        ComparisonFile file = Read(Json);
        RunConfig shared = new ConfigTree().Add(file.Base).Build(), window = new ConfigTree().Add(file.Base).Add(file.Variants["window"]).Build();
        Assert.Multiple(() =>
        {
            Assert.That((shared.Model.Layers, shared.Model.Width, shared.Tokenizer.Kind, shared.Train.Steps, shared.Data.Path), Is.EqualTo((2, 32, "byte", 20, "text.txt")));
            Assert.That(((SlidingWindowConfig)window.Model.Mixer).Window, Is.EqualTo(8));
            Assert.That(file.Variants.Keys, Is.EqualTo(new[] { "attention", "window", "short window" }));
            Assert.That((file.Equal, file.Fit, file.Reference), Is.EqualTo((EqualKind.Tokens, FitKind.Auto, (string?)null)));
            Assert.That(file.Seeds, Is.EqualTo(new long[] { 1, 2, 3 }));
            Assert.That(file.LearningRates, Is.EqualTo(new[] { 1e-4, 1e-3, 1e-2 }));
        });
    }

    [Test]
    public void ATaskMayStandBesideTheBase()
    {
        ComparisonFile file = Read("""{ "base": {}, "variants": {}, "task": { "kind": "modular-addition", "modulus": 7 } }""");
        Assert.That(new ConfigTree().Add(file.Base).Build().Model.Vocab, Is.EqualTo(8));
    }

    [TestCase("""{ "variant": {} }""", "c.json:1: variant: unknown key; did you mean variants?", TestName = "An unknown key")]
    [TestCase("""{ "equal": "size" }""", "c.json:1: equal: expected one of params, flops, tokens, seconds, none, got \"size\"", TestName = "An unknown measure")]
    [TestCase("""{ "seeds": [] }""", "c.json:1: seeds: is empty; a seed is needed at least", TestName = "No seeds")]
    [TestCase("""{ "seeds": [1, 1] }""", "c.json:1: seeds.1: 1 is there twice", TestName = "A seed twice")]
    [TestCase("""{ "learningRates": [0] }""", "c.json:1: learningRates.0: expected a number of more than 0, got 0", TestName = "A rate of 0")]
    [TestCase("{ \"learningRates\": {\n\"from\": 1, \"to\": 0.1 } }", "c.json:2: learningRates.to: 0.1 is not more than from = 1", TestName = "A range that is none")]
    [TestCase("{ \"learningRates\": {\n\"count\": 1 } }", "c.json:2: learningRates.count: expected an integer of at least 2 and at most 64, got 1", TestName = "A range of one")]
    [TestCase("{ \"base\": { \"task\": \"regression\" },\n \"task\": \"modular-addition\" }", "c.json:2: task: base.task is there too; leave one of them out", TestName = "Two tasks")]
    [TestCase("""{ "task": "mkar" }""", null, TestName = "An unknown task")]
    [TestCase("""{ "base": 3 }""", "c.json:1: base: expected settings { … }, got 3", TestName = "A base that is none")]
    public void ProblemsHaveFileAndLine(string json, string? problem)
    {
        var fault = Assert.Throws<ConfigException>(() => Read(json));
        string found = fault!.Problems.Single().ToString();
        Assert.That(found, problem is null ? Does.StartWith("c.json:1: task: unknown kind \"mkar\"") : Is.EqualTo(problem));
    }

    [Test]
    public void ANameThatIsThereTwiceIsRefused()
    {
        var fault = Assert.Throws<UserException>(() => Read("{ \"variants\": { \"a\": {},\n\"a\": { \"model.layers\": 1 } } }"));
        Assert.That(fault!.Message, Is.EqualTo("c.json:2: variants.a: is there twice"));
    }

    internal static ComparisonFile Read(string json) => new ComparisonTree().AddJson(json, "c.json").Build();
}
