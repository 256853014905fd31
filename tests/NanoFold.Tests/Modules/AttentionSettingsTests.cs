using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Modules;

/// <summary>What is said of settings of attention that do not fit.</summary>
public class AttentionSettingsTests
{
    private static IEnumerable<TestCaseData> Wrong =>
    [
        Case("scoreCap", ModelVariants.Base with { ScoreCap = 30, Mixer = new TopKConfig() },
            "model.scoreCap: scores of \"top-k\" cannot level off; use 0, or another mixer, such as attention or sliding-window"),
        Case("yarn without a length", ModelVariants.Base with { RopeScaling = new YarnConfig() }, "model.ropeScaling.original: is missing: the tokens that texts of training had"),
        Case("yarn of a mixer", ModelVariants.Base with { Mixer = new AttentionConfig { RopeScaling = new YarnConfig() } }, "model.mixer.ropeScaling.original: is missing: the tokens that texts of training had"),
        Case("lists of longrope", ModelVariants.Base with { RopeScaling = new LongRopeConfig { Original = 8, ShortFactor = [1, 1], LongFactor = [1] } },
            "model.ropeScaling.longFactor: has 1 numbers, expected one for each of the 2 pairs that positions turn"),
        Case("llama3", ModelVariants.Base with { RopeScaling = new Llama3RopeConfig { Original = 8, HighFreqFactor = 1 } }, "model.ropeScaling.highFreqFactor: 1 is not more than model.ropeScaling.lowFreqFactor = 1"),
        Case("dynamic", ModelVariants.Base with { RopeScaling = new DynamicRopeConfig { Original = 8 }, Mixer = new AttentionConfig { RopeDim = 2 } },
            "model.ropeScaling.kind: \"dynamic\" needs more than 2 elements of a head that positions turn"),
        Case("base", ModelVariants.Base with { Mixer = new AttentionConfig { RopeBase = 0.5 } }, "model.mixer.ropeBase: 0.5 is not more than 1"),
    ];

    [TestCaseSource(nameof(Wrong))]
    public void WhatDoesNotFitIsNamed(ModelConfig model, string expected) =>
        Assert.That(model.Validate("model").Select(problem => problem.ToString()), Is.EqualTo(new[] { expected }));

    /// <summary>What a mixer does not turn need not fit.</summary>
    [Test]
    public void ScalingIsNothingWhereNothingIsTurned() =>
        Assert.That((ModelVariants.Base with { RopeScaling = new YarnConfig(), Mixer = new AttentionConfig { Rope = false } }).Validate("model"), Is.Empty);

    [Test]
    public void RecordsWithListsAreEqualByWhatIsInThem()
    {
        LongRopeConfig a = new() { Original = 8, ShortFactor = [1, 2], LongFactor = [3, 4] }, b = a with { LongFactor = [3, 4] };
        Assert.That(a, Is.EqualTo(b));
        Assert.That(a, Is.Not.EqualTo(b with { LongFactor = [3, 5] }));
    }

    private static TestCaseData Case(string name, ModelConfig model, string expected) => new TestCaseData(model, expected).SetArgDisplayNames(name);
}
