using System.Runtime.CompilerServices;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A query takes the keys, or blocks of keys, that an indexer scores highest; among equals the first.</summary>
internal sealed class Dsa : AttentionFamily<DsaConfig>
{
    // Of each model the choices of layers with an indexer that the layers after them, which share these, have yet to take: one for each sequence.
    private readonly ConditionalWeakTable<ModelConfig, Queue<int[][]>> _chosen = [];
    private readonly ThreadLocal<int[][]> _now = new();

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("dsa taught", small with { Mixer = DsaConfig.Tiny with { IndexLoss = 0.5 } }),
        ("dsa blocks", small with { Mixer = DsaConfig.Tiny with { Block = 3, TopK = 2, IndexLoss = 0.5 }, KvHeads = 2 }),
        ("dsa shared", small with { Mixer = DsaConfig.Tiny with { SharedLayers = 2 } }),
    ];

    public override IReadOnlyList<string> Quick(string kind) => [$"{kind} blocks"];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [$"{kind} blocks"];

    public override bool HasConstants(MixerConfig mixer) => ((DsaConfig)mixer).IndexLoss > 0;

    public override double[][][] Pattern(MixerConfig mixer, NaiveLayer layer, double[][] x)
    {
        Queue<int[][]> chosen = _chosen.GetOrCreateValue(layer.Model);
        if (layer.Has("index_q_proj.weight"))
        {
            _now.Value = [.. x.Select((_, t) => Chosen((DsaConfig)mixer, layer, x, t).ToArray())];
            chosen.Enqueue(_now.Value);
        }
        else
        {
            _now.Value = chosen.Dequeue();
        }

        return base.Pattern(mixer, layer, x);
    }

    protected override IEnumerable<int> Seen(DsaConfig mixer, int t, IReadOnlyList<int> shown, Func<int, double> score) => _now.Value![t];

    private static IEnumerable<int> Chosen(DsaConfig mixer, NaiveLayer layer, double[][] x, int t)
    {
        double[] q = layer.Linear(x[t], "index_q_proj"), w = layer.Linear(x[t], "index_w_proj");
        double[] scores = [.. Enumerable.Range(0, t + 1).Select(s =>
        {
            double[] k = layer.Linear(x[s], "index_k_proj");
            return q.Chunk(k.Length).Select((head, i) => w[i] * Math.Max(0, head.Zip(k, (a, b) => a * b).Sum())).Sum();
        })];
        int size = Math.Max(1, mixer.Block), own = t / size;
        return Enumerable.Range(0, own + 1).OrderByDescending(b => mixer.Block > 0 && b == own ? double.MaxValue : scores.Skip(b * size).Take(size).Max()).ThenBy(b => b).Take(mixer.TopK)
            .SelectMany(b => Enumerable.Range(b * size, size)).Where(j => j <= t);
    }
}
