using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Attention with something multiplied by σ(x W).</summary>
internal sealed class GatedAttention : AttentionFamily<GatedAttentionConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small)
    {
        foreach (GatePosition gate in Enum.GetValues<GatePosition>())
        {
            foreach (GateGranularity granularity in Enum.GetValues<GateGranularity>())
            {
                ModelConfig model = small with { KvHeads = 2, QkNorm = true, Mixer = new GatedAttentionConfig { Gate = gate, Granularity = granularity, ValueDim = 5 } };
                if (!model.Validate("model").Any())
                {
                    yield return ($"gated-attention {gate} {granularity}", model);
                }
            }
        }
    }

    public override bool IsPatternTimesValues(MixerConfig mixer) => ((GatedAttentionConfig)mixer).Gate != GatePosition.AttentionOutput;

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    // Gates are as many as elements, or one per head.
    protected override double[][] Gate(GatedAttentionConfig mixer, NaiveLayer layer, double[][] x, GatePosition place, double[][] y) => place != mixer.Gate
        ? y
        : [.. y.Zip(x, (row, input) =>
        {
            double[] gates = [.. NaiveLayer.Times(layer.Weight("gate_proj.weight"), input).Select(NaiveLayer.Sigmoid)];
            return row.Select((value, i) => value * gates[i / (row.Length / gates.Length)]).ToArray();
        })];
}
