using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>The delta rule, after convolutions with silu, for queries and keys of length 1.</summary>
internal abstract class DeltaFamily<TConfig> : RecurrentHeads<TConfig>
    where TConfig : DeltaFamilyConfig
{
    protected override double[][] Channels(TConfig mixer, double[]? filter, double[][] x) =>
        [.. (filter is null ? x : NaiveConvolution.Of(x, filter)).Select(row => row.Select(Silu).ToArray())];

    protected override double[] Feature(TConfig mixer, ModelConfig model, double[] head, int position) =>
        [.. head.Select(e => e / Math.Sqrt(head.Sum(other => other * other) + 1e-6))];

    protected override double? Beta(TConfig mixer, NaiveLayer layer, double[] x, int head) =>
        (mixer.NegativeEigenvalues ? 2 : 1) * NaiveLayer.Sigmoid(layer.Linear(x, "b_proj")[head]);
}

internal sealed class DeltaNet : DeltaFamily<DeltaNetConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("delta-net that turns back, without convolutions", small with { Mixer = new DeltaNetConfig { Conv = 0, NegativeEigenvalues = true } })];
}

/// <summary>With a decay for each token and head.</summary>
internal sealed class GatedDeltaNet : DeltaFamily<GatedDeltaNetConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("gated-delta-net with shared keys", small with { Mixer = new GatedDeltaNetConfig { KeyHeads = 2, HeadDim = 3, ValueDim = 5, Conv = 1 } }),
        ("gated-delta-net in a model of other norms", small with { NormGainFromOne = true, QkNorm = true, Mixer = GatedDeltaNetConfig.Tiny with { NormGainFromOne = false, QkNorm = false } }),
    ];

    public override IReadOnlyList<string> Quick(string kind) => ["gated-delta-net with shared keys"];

    public override IReadOnlyList<string> QuickToDecode(string kind) => ["gated-delta-net with shared keys"];

    protected override double[] Decay(GatedDeltaNetConfig mixer, NaiveLayer layer, double[] x, int head, int keyWidth)
    {
        double step = Softplus(layer.Linear(x, "a_proj")[head] + layer.Weight("dt_bias")[head]);
        return [.. Enumerable.Repeat(Math.Exp(-Math.Exp(layer.Weight("A_log")[head]) * step), keyWidth)];
    }
}
