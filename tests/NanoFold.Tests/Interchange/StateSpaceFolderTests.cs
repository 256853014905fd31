using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Interchange.Gguf;
using NanoFold.Tests.Suites;
using static NanoFold.Tests.Interchange.ReadConfigurations;

namespace NanoFold.Tests.Interchange;

/// <summary>Configurations of Mamba and Mamba-2 as transformers writes them.</summary>
public class StateSpaceFolderTests : EngineTests
{
    private static IEnumerable<TestCaseData> Wrong =>
    [
        new("mamba", "hidden_act", "\"gelu\"", "hidden_act = \"gelu\": is an activation that is not supported"),
        new("mamba", "intermediate_size", "40", "intermediate_size = 40: gives 40 channels; expected 1 to 64 times hidden_size = 16"),
        new("mamba", "expand", "1.7", "expand = 1.7: gives 27 channels"),
        new("mamba", "time_step_rank", "\"many\"", "time_step_rank = \"many\": expected a whole number"),
        new("mamba2", "num_heads", "3", "num_heads = 3: 3 heads of 8 are not the 32 channels"),
        new("mamba2", "time_step_limit", "[0.5, 0.1]", "time_step_limit = [0.5,0.1]: expected the shortest and the longest step"),
        new("mamba2", "time_step_limit", "[\"Infinity\", \"Infinity\"]", "expected the shortest and the longest step"),
        new("mamba2", "time_step_limit", "0.1", "time_step_limit = 0.1: expected a list of numbers"),
    ];

    [TestCaseSource(nameof(Wrong))]
    public void AKeyThatIsWrongIsNamed(string type, string key, string value, string expected) =>
        Assert.That(() => Read(type, (key, value)), Throws.InstanceOf<UserException>().With.Message.Contains(expected));

    [TestCase("mamba", """ "use_bias": true, "use_conv_bias": false, "time_step_rank": 2, "tie_word_embeddings": false """)]
    [TestCase("mamba", """ "time_step_rank": 3, "conv_kernel": 2 """)]
    [TestCase("mamba2", """ "num_heads": 6, "head_dim": 8, "n_groups": 3, "time_step_limit": [0.55, 0.8], "use_bias": true """)]
    [TestCase("mamba2", """ "num_heads": 4, "head_dim": 12, "n_groups": 1, "use_conv_bias": false """)]
    public void LogitsAreThoseOfThePublishedFormulas(string type, string more)
    {
        JsonObject keys = JsonNode.Parse($$"""
            {"model_type": "{{type}}", "hidden_size": 24, "num_hidden_layers": 2, "vocab_size": 40, "state_size": 5, "layer_norm_epsilon": 1e-4, {{more}} }
            """)!.AsObject();
        using var folder = new TemporaryFolder();
        Dictionary<string, (long[] Shape, float[] Values)> stored = [];
        using ForeignModel model = ForeignModel.TryOpen(ForeignFolders.Write(folder["model"], keys, tensors: tensors => stored = tensors))!;
        using var read = new ForeignNumbers(model, Backend());
        int[] tokens = Numbers.Integers(type, 13, 0, 40);
        Assert.That(read.LogitsOff(tokens, new StateSpaceFormulas(keys, stored).Logits(tokens)), Is.LessThan(2e-5));
    }

    [Test]
    public void WhatIsLeftOutIsAsInTheLibrary()
    {
        Assert.That(Read("mamba", ("time_step_rank", "\"auto\""), ("hidden_size", "40")).Mixer, Is.EqualTo(new MambaConfig { DtRank = 3 }));
        Assert.That(Read("mamba").Tied, Is.True);
        ModelConfig second = Read("mamba2", ("time_step_limit", "[-1.0, \"Infinity\"]"));
        Assert.That((second.Mixer, second.Tied), Is.EqualTo((new Mamba2Config { State = 128, SsmHeads = 4 }, false)));
    }

    [Test]
    public void AModelOfOursIsWrittenOrThePartIsNamedThatHasNoPlace()
    {
        ModelConfig model = ModelVariants.Base with { FeedForward = new NoFeedForwardConfig() };
        Assert.Multiple(() =>
        {
            Assert.That(WhyNot("mamba", model with { Mixer = MambaConfig.Tiny, Bias = true }), Is.Null, "positions, heads and model.bias mean nothing to mamba");
            Assert.That(WhyNot("mamba", model with { Mixer = MambaConfig.Tiny with { Selective = false } }), Does.EndWith("mixer.selective = false"));
            Assert.That(WhyNot("mamba", model with { Mixer = MambaConfig.Tiny, FeedForward = new SwiGluConfig() }), Does.Contain("feedForward"));
            Assert.That(WhyNot("mamba", model with { Mixer = MambaConfig.Tiny, Position = PositionKind.Learned }), Does.Contain("model.position"));
            Assert.That(WhyNot("mamba", model with { Mixer = Mamba2Config.Tiny }), Does.Contain("mixer"));
            Assert.That(WhyNot("mamba2", model with { Mixer = Mamba2Config.Tiny with { Groups = 2, StepMin = 0.01 }, Bias = true }), Is.Null);
            Assert.That(WhyNot("mamba2", model with { Mixer = Mamba2Config.Tiny with { NormOver = ChannelNormSpan.None } }), Does.Contain("mixer.normOver"));
            Assert.That(WhyNot("mamba2", model with { Mixer = Mamba2Config.Tiny with { GateFirst = false } }), Does.Contain("mixer.gateFirst"));
        });
    }

    private static ModelConfig Read(string type, params (string Key, string Value)[] changed) => ReadConfigurations.Read(
        $$"""{"model_type": "{{type}}", "hidden_size": 16, "num_hidden_layers": 2, "vocab_size": 19}""",
        [.. type == "mamba2" ? [("num_heads", "4"), ("head_dim", "8"), ("n_groups", "1")] : Array.Empty<(string, string)>(), .. changed]);
}
