using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

/// <summary>σ(gate) ⊙ down relu(up)², of inputs mixed with those before them.</summary>
internal sealed class ChannelMix : FeedForwardReference
{
    public override Type Config => typeof(ChannelMixConfig);

    public override bool HasKink => true;

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("channel-mix with a recurrence and a norm of the embedding", small with { FeedForward = ChannelMixConfig.Tiny, Mixer = Rwkv4Config.Tiny, EmbeddingNorm = true })];

    public override double[] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[] x) => Forward(feedForward, layer, [x])[0];

    public override double[][] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[][] x) => [.. x.Select((_, t) =>
    {
        double[] up = [.. layer.Linear(layer.Mixed(x, t, "mix_k"), "up_proj").Select(v => Math.Max(v, 0) * Math.Max(v, 0))];
        double[] gate = [.. layer.Linear(layer.Mixed(x, t, "mix_r"), "gate_proj").Select(NaiveLayer.Sigmoid)];
        return NaiveLayer.Multiply(gate, layer.Linear(up, "down_proj"));
    })];
}
