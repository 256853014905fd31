using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.Exports;
using NanoFold.Engine.Interchange.Peft;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Tests.Suites;
using static NanoFold.Tests.Interchange.ReadConfigurations;
using PublishedArchitecture = NanoFold.Engine.Interchange.HuggingFace.Architectures.Architecture;

namespace NanoFold.Tests.Interchange;

/// <summary>Configurations of models with latent attention, sinks, pairs of heads, state spaces and experts, as transformers writes them, and models of ours that are such.</summary>
public class HybridFolderTests : EngineTests
{
    private static IEnumerable<TestCaseData> Wrong =>
    [
        new("diffllama", """ "num_key_value_heads": 1 """, "num_key_value_heads = 1: 1 key/value heads are not supported"),
        new("diffllama", """ "mlp_bias": true """, "mlp_bias = true: would change the numbers"),
        new("gpt_oss", """ "swiglu_limit": 5.0 """, "swiglu_limit = 5.0: is a limit that is not supported; expected 7"),
        new("gpt_oss", """ "swiglu_alpha": 1 """, "swiglu_alpha = 1: is a factor that is not supported; expected 1.702"),
        new("gpt_oss", """ "quantization_config": {"quant_method": "mxfp4"} """, "the weights are quantized"),
        new("deepseek_v3", """ "scoring_func": "softmax" """, "scoring_func = \"softmax\": is not supported; expected sigmoid"),
        new("deepseek_v3", """ "moe_layer_freq": 2 """, "moe_layer_freq = 2: is not supported"),
        new("deepseek_v3", """ "num_key_value_heads": 2 """, "num_key_value_heads = 2: is not supported; latents make all 4 heads"),
        new("deepseek_v3", """ "q_lora_rank": null, "attention_bias": true """, "attention_bias = true: is not supported where q_lora_rank is null"),
        new("jamba", """ "hidden_act": "gelu" """, "hidden_act = \"gelu\": is an activation that is not supported in this architecture"),
        new("bamba", """ "hidden_act": "gelu" """, "hidden_act = \"gelu\": is an activation that is not supported in this architecture"),
        new("falcon_h1", """ "hidden_act": "gelu" """, "hidden_act = \"gelu\": is an activation that is not supported in this architecture"),
        new("qwen3_next", """ "hidden_act": "gelu" """, "hidden_act = \"gelu\": is an activation that is not supported in this architecture"),
        new("qwen3_next", """ "shared_expert_intermediate_size": 0 """, "shared_expert_intermediate_size = 0: expected 1 to"),
        new("jamba", """ "sliding_window": 4 """, "sliding_window = 4: would change the numbers"),
        new("jamba", """ "mamba_dt_rank": "many" """, "mamba_dt_rank = \"many\": expected a whole number"),
        new("bamba", """ "mamba_n_heads": 3 """, "mamba_n_heads = 3: 3 heads are not the 32 channels"),
        new("bamba", """ "mamba_n_heads": 4, "mamba_d_head": 6 """, "mamba_n_heads = 4: 4 heads of mamba_d_head are not the 32 channels"),
        new("falcon_h1", """ "projectors_bias": true """, "projectors_bias = true: is not supported where mamba_proj_bias is not the same"),
        new("falcon_h1", """ "layer_types": ["hybrid", "attention"] """, "is not supported; layers are hybrid"),
        new("falcon_h1", """ "time_step_limit": [0.5, 0.1] """, "time_step_limit = [0.5,0.1]: expected the shortest and the longest step"),
        new("falcon_h1", """ "ssm_multipliers": [1.5, 2] """, "ssm_multipliers = [1.5,2]: expected 5 factors"),
        new("falcon_h1", """ "attn_layer_indices": [1] """, "attn_layer_indices = [1]: is not supported; attention is in every layer"),
        new("qwen3_next", """ "attention_bias": true """, "attention_bias = true: is not supported: gates would have none"),
        new("qwen3_next", """ "layer_types": ["linear_attention", "sliding_attention"] """, "expected 2 of full_attention and linear_attention"),
        new("qwen3_next", """ "linear_num_key_heads": 3 """, "linear_num_key_heads = 3: does not divide linear_num_value_heads = 32"),
    ];

    private static ModelConfig Small => ModelVariants.Base with { KvHeads = 2 };

    private static MoeConfig Softmax => new() { Experts = 4, Active = 2, Hidden = 8 };

    private static MambaConfig Normed => MambaConfig.Tiny with { InnerNorm = true };

    private static ParallelConfig Both => new() { Mixers = [Mamba2Config.Tiny with { NormOver = ChannelNormSpan.None }, new AttentionConfig()], Normed = false };

    private static GatedDeltaNetConfig Delta => new() { Heads = 4, KeyHeads = 2, HeadDim = 3, ValueDim = 5, NormGainFromOne = false, QkNorm = false };

    private static LatentAttentionConfig Latent => LatentAttentionConfig.Tiny with { QueryLatent = 7, LatentEpsilon = 1e-6 };

    private static IEnumerable<(string Type, ModelConfig Model)> Ours =>
    [
        ("diffllama", Small with { Mixer = new DifferentialConfig { Pairing = HeadPairing.KeyHeads, NormGain = false } }),
        ("diffllama", Small with { KvHeads = 0, QkvBias = true, OutputBias = true, Mixer = new DifferentialConfig { NormGain = false } }),
        ("gpt_oss", Small with
        {
            QkvBias = true,
            OutputBias = true,
            RopeScaling = new YarnConfig { Factor = 4, Original = 8, Truncate = false },
            FeedForward = Softmax with { Bias = true, Activation = new ClampedSwiGluConfig(), Capacity = 1.5 },
            Pattern = [new BlockConfig { Mixer = new SlidingWindowConfig { Window = 4, Sinks = 0, SinkLogits = true } }, new BlockConfig { Mixer = new AttentionConfig { SinkLogits = true } }],
        }),
        ("deepseek_v3", Small with
        {
            Mixer = Latent,
            RopeInterleaved = true,
            FeedForward = Softmax with { Routing = RouterKind.Sigmoid, Shared = 1, Groups = 2, ActiveGroups = 1, RouteScale = 2.5, DenseLayers = 1 },
        }),
        ("deepseek_v3", Small with { Mixer = Latent with { QueryLatent = 0 }, FeedForward = Softmax with { Routing = RouterKind.Sigmoid, Renormalize = false } }),
        ("jamba", Small with
        {
            Position = PositionKind.None,
            Pattern = [new BlockConfig { Mixer = Normed, FeedForward = Softmax with { Renormalize = false, Hidden = 24 } }, new BlockConfig { Mixer = new AttentionConfig() }],
        }),
        ("bamba", Small with { Bias = true, Pattern = [new BlockConfig { Mixer = Mamba2Config.Tiny with { ConvBias = false, StepMax = 0.1 } }, new BlockConfig { Mixer = new AttentionConfig { RopeDim = 2 } }] }),
        ("falcon_h1", Small with { Mixer = Both }),
        ("falcon_h1", Small with
        {
            Bias = true,
            ScoreScale = 0.3,
            LogitScale = 0.6,
            Mixer = Both with
            {
                Mixers = [Mamba2Config.Tiny with { Channels = 24, Groups = 2, NormOver = ChannelNormSpan.Group, GateFirst = false, Scales = new Mamba2Scales { B = 0.3 } }, new AttentionConfig()],
                InputScales = [1.5, 1],
                OutputScales = [0.3, 0.7],
            },
            FeedForward = new SwiGluConfig { PreScale = 1.1, OutputScale = 0.9 },
        }),
        ("qwen3_next", Small with
        {
            NormGainFromOne = true,
            QkNorm = true,
            FeedForward = Softmax with { Shared = 1, SharedHidden = 10, SharedGate = true },
            Pattern = [new BlockConfig { Mixer = Delta }, new BlockConfig { Mixer = new GatedAttentionConfig { RopeDim = 2 }, FeedForward = new SwiGluConfig() }],
        }),
    ];

    private static IEnumerable<TestCaseData> OwnModels => Ours.Select((own, i) => new TestCaseData(own.Type, own.Model).SetArgDisplayNames(own.Type, $"{i}"));

    [TestCaseSource(nameof(Wrong))]
    public void AKeyThatIsWrongIsNamed(string type, string more, string expected) =>
        Assert.That(() => Read(type, more), Throws.InstanceOf<UserException>().With.Message.Contains(expected));

    [TestCaseSource(nameof(OwnModels))]
    public void AModelOfOursIsWrittenAndReadAgain(string type, ModelConfig model)
    {
        model = model.Resolve();
        Assert.That(model.Validate("model"), Is.Empty);
        Assert.That(PublishedArchitecture.All.Single(one => one.Name == type).WhyNot(model), Is.Null);
        PublishedArchitecture found = PublishedArchitecture.For(model);
        Assert.That(found.Name, Is.EqualTo(type));
        using var folder = new TemporaryFolder();
        PublishedRoundTrip.Verify(ForeignFolders.Write(folder["model"], found.Write(model)));
    }

    [Test]
    public void AnAdapterAroundExpertsThatLieTogetherHasNoPlaceInFilesOfPeft()
    {
        ModelConfig model = (Ours.First(own => own.Type == "gpt_oss").Model with { Adapters = [new LoraConfig { Targets = ["up_proj"] }] }).Resolve();
        IReadOnlyList<WeightInfo> weights = PublishedArchitecture.Parameters(model);
        var own = new OwnModel(model, null, weights, name => new float[weights.Single(weight => weight.Name == name).Count]) { BaseArchitecture = "gpt_oss" };
        Assert.That(() => new PeftWriter(own), Throws.InstanceOf<UserException>().With.Message.EqualTo(
            "model.adapters: 'model.layers.0.mlp.experts.up_proj' is no module of its own in gpt_oss, so that an adapter around it has no place in the files of peft; name it in exclude"));
    }

    [Test]
    public void WhatCannotBeReadAtAllIsNotTheNearest()
    {
        // Three key heads are a fault in diffllama, which then says nothing of the mixer.
        ModelConfig model = Small with { Width = 18, Heads = 3, KvHeads = 3, QkNorm = true, Mixer = new MlstmConfig(), FeedForward = new SwiGluConfig() };
        Assert.That(WhyNot("diffllama", model), Does.StartWith("diffllama cannot express the model: "));
        Assert.That(() => PublishedArchitecture.For(model.Resolve()), Throws.InstanceOf<UserException>().With.Message.Contains("the nearest, xlstm, cannot express model.qkNorm = true"));
    }

    [Test]
    public void ThePartIsNamedThatHasNoPlace() => Assert.Multiple(() =>
    {
        ModelConfig model = Small with { RopeInterleaved = true, FeedForward = Softmax with { Routing = RouterKind.Sigmoid } };
        Assert.That(WhyNot("deepseek_v3", model with { Mixer = Latent with { LatentEpsilon = 0 } }), Does.Contain("mixer.latentEpsilon"));
        Assert.That(WhyNot("diffllama", Small with { Mixer = new DifferentialConfig { NormGain = false } }), Does.EndWith("mixer.pairing = \"neighbors\""));
        Assert.That(WhyNot("bamba", Small with { Mixer = Mamba2Config.Tiny with { Scales = new Mamba2Scales { Dt = 2 } } }), Does.Contain("mixer.scales.dt = 2"));
        Assert.That(WhyNot("falcon_h1", Small with { Mixer = Both with { Normed = true } }), Does.Contain("mixer.normed = true"));
        ModelConfig qwen = Small with { KvHeads = 0, NormGainFromOne = true, QkNorm = true, FeedForward = Softmax with { Shared = 1, SharedGate = true }, Mixer = new GatedDeltaNetConfig { NormGainFromOne = false, QkNorm = false } };
        Assert.That(WhyNot("qwen3_next", qwen), Is.Null, "sizes of heads are the model's");
        Assert.That(WhyNot("qwen3_next", qwen with { Mixer = Delta with { KeyHeads = 0, KvHeads = 2 } }), Does.Contain("mixer.kvHeads = 2"));
        Assert.That(WhyNot("mixtral", Small with { FeedForward = Softmax with { Bias = true } }), Does.Contain("feedForward.bias = true"));
        Assert.That(WhyNot("mixtral", Small with { FeedForward = Softmax with { Capacity = 2, BalanceLoss = 0.1 } }), Is.Null, "what is about training only has no place there");
        Assert.That(WhyNot("llama", Small with { FeedForward = new SwiGluConfig { OutputScale = 0.5 } }), Does.Contain("feedForward.outputScale = 0.5"));
        Assert.That(WhyNot("llama", Small with { Mixer = new AttentionConfig { QkNorm = false } }), Is.Null, "the model has none either");
    });

    [Test]
    public void WhatIsLeftOutIsAsInTheLibrary() => Assert.Multiple(() =>
    {
        Assert.That(Read("gpt_oss").RopeScaling, Is.EqualTo(new YarnConfig { Factor = 32, Original = 4096, Truncate = false }));
        Assert.That(Read("deepseek_v3").ScoreScale, Is.Zero);
        double factor = (0.1 * 0.7 * Math.Log(8)) + 1;
        ModelConfig stretched = Read("deepseek_v3", """ "rope_scaling": {"type": "yarn", "factor": 8, "mscale": 1.0, "mscale_all_dim": 0.7, "original_max_position_embeddings": 8} """);
        Assert.That(stretched.ScoreScale, Is.EqualTo(factor * factor / Math.Sqrt(192)).Within(1e-12));
        Assert.That(Read("qwen3_next").LayerConfigs().All(layer => layer.Mixer is GatedDeltaNetConfig), Is.True);
        Assert.That(Read("qwen3_next", """ "full_attention_interval": 2 """).LayerConfigs()[1].Mixer, Is.EqualTo(new GatedAttentionConfig { RopeDim = 64 }));
        Assert.That(Read("gpt_oss").KvHeads, Is.EqualTo(8));
        Assert.That(Read("gpt_oss", """ "num_key_value_heads": null """).KvHeads, Is.EqualTo(4));
        Assert.That(Read("bamba", """ "rope_parameters": {"rope_theta": 50.0, "partial_rotary_factor": 0.25}, "head_dim": 16, "attn_layer_indices": [0] """).Mixer, Is.EqualTo(new AttentionConfig { RopeDim = 4 }));
        Assert.That(Read("bamba").LayerConfigs().All(layer => layer.Mixer is Mamba2Config), Is.True);
    });

    private static ModelConfig Read(string type, string more = "") => ReadConfigurations.Read(
        $$"""{"model_type": "{{type}}", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 19}""",
        [
            .. type switch
            {
                "bamba" => [("mamba_n_heads", "4")],
                "falcon_h1" => [("mamba_n_heads", "4"), ("mamba_d_ssm", "32")],
                _ => Array.Empty<(string, string)>(),
            },
            .. JsonNode.Parse($"{{{more}}}")!.AsObject().Select(key => (key.Key, key.Value?.ToJsonString() ?? "null")),
        ]);
}
