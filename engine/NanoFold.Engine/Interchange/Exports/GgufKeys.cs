using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Interchange.Gguf;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>A model of ours in the metadata of a GGUF file.</summary>
internal static class GgufKeys
{
    private const int QuantizationVersion = 2;

    /// <summary>Adds all keys but those of the tokenizer.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="name">Of the architecture there.</param>
    /// <param name="model">The model.</param>
    /// <param name="type">Of most numbers.</param>
    public static void Write(GgufWriter writer, string name, ModelConfig model, ExportType type)
    {
        writer.Text("general.architecture", name);
        writer.Number("general.file_type", type switch { ExportType.F16 => 1, ExportType.Q8_0 => 7, ExportType.BF16 => 32, _ => 0 });
        writer.Number("general.quantization_version", QuantizationVersion);
        FeedForwardConfig dense = model.LayerConfigs().Select(layer => layer.FeedForward).FirstOrDefault(kind => kind is DenseConfig) ?? model.FeedForward;
        Number("block_count", model.Layers);
        Number("context_length", model.Context);
        Number("embedding_length", model.Width);
        Number("feed_forward_length", dense.HiddenFor(model));
        Number("attention.head_count", model.Heads);
        Number("attention.head_count_kv", model.KvHeads);
        Number("attention.key_length", model.HeadDim);
        Number("attention.value_length", model.HeadDim);
        Number("vocab_size", model.Vocab);
        Real(model.Norm == NormKind.Layer ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", model.NormEpsilon);
        Positions();
        if (name == "gptneox")
        {
            writer.Flag($"{name}.use_parallel_residual", model.Parallel != ParallelKind.None);
        }

        if (model.LayerConfigs().Select(layer => layer.FeedForward).OfType<MoeConfig>().FirstOrDefault() is { } mixture)
        {
            Number("expert_count", mixture.Experts);
            Number("expert_used_count", mixture.Active);
            Number("expert_feed_forward_length", mixture.HiddenFor(model));
        }

        if (model.LayerConfigs().Select(layer => layer.Mixer).OfType<SlidingWindowConfig>().FirstOrDefault()?.Window is { } window)
        {
            Number("attention.sliding_window", window);
        }

        if (model.ScoreCap > 0)
        {
            Real("attn_logit_softcapping", model.ScoreCap);
        }

        if (model.LogitCap > 0)
        {
            Real("final_logit_softcapping", model.LogitCap);
        }

        void Number(string key, long value) => writer.Number($"{name}.{key}", value);

        void Real(string key, double value) => writer.Real($"{name}.{key}", value);

        void Positions()
        {
            if (model.Position == PositionKind.Learned)
            {
                return;
            }

            Real("rope.freq_base", model.RopeBase);
            Number("rope.dimension_count", model.Mixer is AttentionFamilyConfig { RopeDim: > 0 } heads ? heads.RopeDim : model.HeadDim);
            if (model.RopeScaling is LinearRopeConfig linear)
            {
                writer.Text($"{name}.rope.scaling.type", "linear");
                Real("rope.scaling.factor", linear.Factor);
            }
            else if (model.RopeScaling is YarnConfig yarn)
            {
                writer.Text($"{name}.rope.scaling.type", "yarn");
                Real("rope.scaling.factor", yarn.Factor);
                Number("rope.scaling.original_context_length", yarn.Original);
                Real("rope.scaling.yarn_beta_fast", yarn.BetaFast);
                Real("rope.scaling.yarn_beta_slow", yarn.BetaSlow);
            }
        }
    }

    /// <summary>How many experts a layer has that has some; 1 where none has.</summary>
    public static int Experts(ModelConfig model) => model.LayerConfigs().Select(layer => layer.FeedForward).OfType<MoeConfig>().FirstOrDefault()?.Experts ?? 1;
}
