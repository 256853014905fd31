using NanoFold.Engine;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Tests.Suites;
using static NanoFold.Tests.Interchange.ReadConfigurations;

namespace NanoFold.Tests.Interchange;

/// <summary>Configurations of LFM2, RecurrentGemma, MiniMax, RWKV-4 and xLSTM as transformers writes them.</summary>
public class RecurrenceFolderTests : EngineTests
{
    private static IEnumerable<TestCaseData> Wrong =>
    [
        new("lfm2", "layer_types", """["conv", "sliding_attention"]""", "expected 2 of conv and full_attention"),
        new("lfm2", "block_ffn_dim_multiplier", "0", "gives a feed-forward of 0"),
        new("recurrent_gemma", "intermediate_size", "33", "expected an even number"),
        new("recurrent_gemma", "block_types", """["recurrent", "mamba"]""", "expected a list of recurrent and attention"),
        new("recurrent_gemma", "hidden_activation", "\"tanh\"", "is an activation that is not supported"),
        new("recurrent_gemma", "hidden_activation", "\"silu\"", "hidden_activation = \"silu\": is an activation that is not supported in this architecture"),
        new("minimax", "hidden_act", "\"gelu\"", "hidden_act = \"gelu\": is an activation that is not supported in this architecture"),
        new("minimax", "layer_types", """["linear_attention"]""", "expected 2 of linear_attention and full_attention"),
        new("minimax", "rotary_dim", "2", "rotary_dim = 2: positions that turn a part"),
        new("rwkv", "attention_hidden_size", "0", "expected 1 to"),
        new("xlstm", "weight_mode", "\"fused\"", "weight_mode = \"fused\": weights that are joined are not supported"),
        new("xlstm", "add_out_norm", "false", "a model without a last norm is not supported"),
        new("xlstm", "use_bias", "true", "use_bias = true: would change the numbers"),
        new("xlstm", "qk_dim_factor", "0.3", "qk_dim_factor = 0.3: gives 5 elements, which 3 heads do not share evenly"),
    ];

    [TestCaseSource(nameof(Wrong))]
    public void AKeyThatIsWrongIsNamed(string type, string key, string value, string expected) =>
        Assert.That(() => Read(type, (key, value)), Throws.InstanceOf<UserException>().With.Message.Contains(expected));

    [Test]
    public void WhatIsLeftOutIsAsInTheLibrary()
    {
        Assert.Multiple(() =>
        {
            ModelConfig lfm2 = Read("lfm2", ("intermediate_size", "48"), ("block_multiple_of", "5"), ("full_attn_idxs", "[1]"));
            Assert.That((lfm2.Hidden, lfm2.Tied, lfm2.QkNorm), Is.EqualTo((35, true, true)));
            Assert.That(lfm2.LayerConfigs().Select(layer => layer.Mixer.Kind), Is.EqualTo(new[] { "gated-convolution", "attention" }));
            Assert.That(Read("lfm2", ("block_auto_adjust_ff_dim", "false"), ("block_ff_dim", "70")).Hidden, Is.EqualTo(70), "the authors' own name of it comes first");
            Assert.That((Read("lfm2").RopeBase, Read("lfm2").KvHeads, Read("lfm2", ("theta", "30")).RopeBase), Is.EqualTo((1e6, 8, 30.0)));
            Assert.That(() => Read("lfm2", ("theta", "30"), ("rope_theta", "50.0")), Throws.InstanceOf<UserException>().With.Message.Contains("theta = 30: is not the 50 of rope_theta"));
            ModelConfig griffin = Read("recurrent_gemma", ("attention_window_size", "7"), ("num_hidden_layers", "4"));
            Assert.That(griffin.LayerConfigs().Select(layer => layer.Mixer.Kind), Is.EqualTo(new[] { "rg-lru", "rg-lru", "sliding-window", "rg-lru" }));
            // The root of 18 with 8 bits.
            Assert.That((griffin.EmbeddingScale, griffin.LogitCap, griffin.Hidden), Is.EqualTo((4.25, 30.0, 16)));
            Assert.That(Read("minimax").LayerConfigs().Select(layer => layer.Mixer.Kind), Is.EqualTo(new[] { "attention", "lightning-attention" }));
            Assert.That(Read("minimax").KvHeads, Is.EqualTo(8));
            Assert.That(Read("rwkv", ("rescale_every", "6")).Resolve().Hidden, Is.EqualTo(72));
            ModelConfig xlstm = Read("xlstm");
            Assert.That((xlstm.Hidden, xlstm.LogitCap, xlstm.Mixer), Is.EqualTo((64, 30.0, new MlstmConfig { HeadDim = 3, ValueDim = 6 })));
        });
    }

    [Test]
    public void AModelOfOursIsWrittenOrThePartIsNamedThatHasNoPlace()
    {
        ModelConfig small = ModelVariants.Base, rwkv = small with { Mixer = new Rwkv4Config { State = 10 }, FeedForward = new ChannelMixConfig(), EmbeddingNorm = true, Norm = NormKind.Layer };
        ModelConfig griffin = small with { Mixer = new RgLruConfig(), FeedForward = new GeGluTanhConfig(), NormGainFromOne = true, EmbeddingScale = 4, LogitCap = 20, Tied = true, Bias = true };
        ModelConfig minimax = small with { Mixer = new LightningAttentionConfig { KvHeads = 4 }, FeedForward = new MoeConfig { BalanceLoss = 0, ZLoss = 0 }, NormPlace = NormPlaceKind.Stream, Residual = new ScaledConfig { MixerGain = 2 } };
        Assert.Multiple(() =>
        {
            Assert.That(WhyNot("lfm2", small with { Mixer = new GatedConvolutionConfig { Conv = 5 }, QkNorm = true }), Is.Null);
            Assert.That(WhyNot("lfm2", small with { Mixer = new GatedConvolutionConfig { ConvBias = true }, QkNorm = true }), Does.Contain("model.bias").Or.Contain("convBias"));
            Assert.That(WhyNot("recurrent_gemma", griffin), Is.Null);
            Assert.That(WhyNot("recurrent_gemma", griffin with { Mixer = new RgLruConfig { Blocks = 2 } }), Does.Contain("mixer.blocks"));
            Assert.That(WhyNot("minimax", minimax), Is.Null);
            Assert.That(WhyNot("minimax", minimax with { NormPlace = NormPlaceKind.Pre }), Does.Contain("model.normPlace"));
            Assert.That(WhyNot("minimax", minimax with { Mixer = new LightningAttentionConfig { KvHeads = 4, NormEpsilon = 1e-5 } }), Does.Contain("normEpsilon"));
            Assert.That(WhyNot("rwkv", rwkv), Is.Null);
            Assert.That(WhyNot("rwkv", rwkv with { EmbeddingNorm = false }), Does.Contain("model.embeddingNorm"));
            Assert.That(WhyNot("xlstm", small with { Mixer = new MlstmConfig { HeadDim = 3, ValueDim = 5, GateCap = 2 } }), Is.Null);
            Assert.That(WhyNot("xlstm", small with { Mixer = new MlstmConfig(), QkNorm = true }), Does.Contain("model.qkNorm"));
            Assert.That(WhyNot("xlstm", small with { Mixer = new MlstmConfig() }), Is.Null, "sizes of heads are the model's");
            Assert.That(WhyNot("xlstm", small with { Mixer = new MlstmConfig(), KvHeads = 2 }), Does.Contain("model.kvHeads = 2").Or.EndWith("model.mixer.kvHeads = 2"));
            Assert.That(WhyNot("minimax", minimax with { Mixer = new LightningAttentionConfig() }), Is.Null);
            Assert.That(WhyNot("minimax", minimax with { Mixer = new LightningAttentionConfig { KvHeads = 2 } }), Does.EndWith("model.mixer.kvHeads = 2"));
        });
    }

    private static ModelConfig Read(string type, params (string Key, string Value)[] changed) => ReadConfigurations.Read(
        $$"""{"model_type": "{{type}}", "hidden_size": 18, "num_hidden_layers": 2, "vocab_size": 19}""",
        [
            .. type switch
            {
                "lfm2" or "recurrent_gemma" or "minimax" => [("num_attention_heads", "2"), ("intermediate_size", "32"), ("head_dim", "8")],
                "xlstm" => [("num_heads", "3")],
                _ => Array.Empty<(string, string)>(),
            },
            .. changed,
        ]);
}
