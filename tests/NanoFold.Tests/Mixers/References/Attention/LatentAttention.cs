using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Keys and values of all heads from one latent, besides a key that all heads share and positions turn.</summary>
internal sealed class LatentAttention : MixerReference<LatentAttentionConfig>
{
    // Without positions nothing is turned; wide values and another number of heads.
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("latent-attention of its own shape", small with { Mixer = new LatentAttentionConfig { Heads = 3, Latent = 16, RopeDim = 4, NopeDim = 3, ValueDim = 7 } }),
        ("latent-attention with latent queries", small with { Bias = true, Mixer = LatentAttentionConfig.Tiny with { QueryLatent = 7, LatentEpsilon = 0.01 } }),
        ("latent-attention by default", small with { Mixer = new LatentAttentionConfig() }),
    ];

    public override double[][][] Pattern(MixerConfig mixer, NaiveLayer layer, double[][] x)
    {
        var own = ((LatentAttentionConfig)mixer).Resolve(layer.Model);
        int nope = own.NopeDim, rope = own.RopeDim, all = nope + rope;
        double[] Turned(double[] part, int t) => layer.Model.Position == PositionKind.Rope ? layer.Rotate(part, t) : part;
        double[][] down = [.. x.Select(row => layer.Linear(row, "kv_a_proj"))];
        double[][] q = [.. x.Select((row, t) => Asked(own, layer, row).Chunk(all).SelectMany(head => head[..nope].Concat(Turned(head[nope..], t))).ToArray())];
        double[][] k = [.. Expanded(own, layer, x).Select((row, t) => row.Chunk(nope + own.ValueDim).SelectMany(head => head[..nope].Concat(Turned(down[t][own.Latent..], t))).ToArray())];
        return [.. Enumerable.Range(0, own.Heads).Select(h => x.Select((_, t) =>
        {
            double[] powers = [.. Enumerable.Range(0, x.Length).Select(j => !layer.Shown(t, x.Length).Contains(j)
                ? 0
                : Math.Exp(Enumerable.Range(h * all, all).Sum(i => q[t][i] * k[j][i]) / Math.Sqrt(all)))];
            return powers.Select(p => p / powers.Sum()).ToArray();
        }).ToArray())];
    }

    protected override double[][] Forward(LatentAttentionConfig mixer, NaiveLayer layer, double[][] x)
    {
        LatentAttentionConfig own = mixer.Resolve(layer.Model);
        double[][][] pattern = Pattern(mixer, layer, x);
        double[][] expanded = Expanded(own, layer, x);
        return [.. x.Select((_, t) => layer.Linear([.. Enumerable.Range(0, own.Heads * own.ValueDim).Select(i =>
        {
            int h = i / own.ValueDim, at = h * (own.NopeDim + own.ValueDim) + own.NopeDim + i % own.ValueDim;
            return Enumerable.Range(0, x.Length).Sum(j => pattern[h][t][j] * expanded[j][at]);
        })], "o_proj"))];
    }

    // Per head the part of a key, then the value.
    private static double[][] Expanded(LatentAttentionConfig own, NaiveLayer layer, double[][] x) =>
        [.. x.Select(row => layer.Linear(Normed(own, layer, layer.Linear(row, "kv_a_proj")[..own.Latent], "kv_a_norm"), "kv_b_proj"))];

    private static double[] Asked(LatentAttentionConfig own, NaiveLayer layer, double[] row) =>
        own.QueryLatent > 0 ? layer.Linear(Normed(own, layer, layer.Linear(row, "q_a_proj"), "q_a_norm"), "q_b_proj") : layer.Linear(row, "q_proj");

    private static double[] Normed(LatentAttentionConfig own, NaiveLayer layer, double[] latent, string name) =>
        NaiveLayer.Rms(latent, layer.Weight($"{name}.weight"), own.LatentEpsilon > 0 ? own.LatentEpsilon : layer.Model.NormEpsilon);
}
