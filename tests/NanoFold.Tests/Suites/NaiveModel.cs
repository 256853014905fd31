using NanoFold.Engine.Model;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;

namespace NanoFold.Tests.Suites;

/// <summary>The forward pass of a model in plain loops over doubles, one sequence at a time, from its weights by name and the references of its parts.</summary>
internal sealed class NaiveModel(ModelConfig config, Func<string, double[]?> weights)
{
    private readonly NaiveLayer _model = new(config, weights, "model.");

    /// <summary>Logits [T · V].</summary>
    public double[] Logits(int[] tokens)
    {
        double[][] x = [.. tokens.Select((token, t) =>
        {
            double[] row = NaiveLayer.Row(_model.Weight("embed_tokens.weight"), token, config.Width);
            return _model.Find("embed_positions.weight") is { } positions ? NaiveLayer.Add(row, NaiveLayer.Row(positions, t, config.Width)) : row;
        })];
        IReadOnlyList<LayerConfig> layers = config.LayerConfigs();
        for (int i = 0; i < layers.Count; i++)
        {
            NaiveLayer layer = _model.In($"layers.{i}");
            if (layers[i].Mixer.Traits(config).Mixes)
            {
                double[][] mixed = MixerReference.Of(layers[i].Mixer).Forward(layers[i].Mixer, layer.In("self_attn"), layer.Norm(x, "input_layernorm"));
                x = [.. x.Zip(mixed, NaiveLayer.Add)];
            }

            FeedForwardReference feed = FeedForwardReference.Of(layers[i].FeedForward);
            x = [.. x.Zip(layer.Norm(x, "post_attention_layernorm").Select(row => feed.Forward(layers[i].FeedForward, layer.In("mlp"), row)), NaiveLayer.Add)];
        }

        double[] head = config.Tied ? _model.Weight("embed_tokens.weight") : weights("lm_head.weight")!;
        return [.. _model.Norm(x, "norm").SelectMany(row => NaiveLayer.Times(head, row))];
    }

    /// <summary>The weights of a layer's mixer [H · T · T] at a normed input [T][C].</summary>
    public double[] Pattern(int layer, double[][] x)
    {
        var mixer = config.LayerConfigs()[layer].Mixer;
        return [.. MixerReference.Of(mixer).Pattern(mixer, _model.In($"layers.{layer}").In("self_attn"), x).SelectMany(head => head.SelectMany(row => row))];
    }
}
