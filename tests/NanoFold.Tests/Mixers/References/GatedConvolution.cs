using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>C ⊙ conv(B ⊙ u).</summary>
internal sealed class GatedConvolution : MixerReference<GatedConvolutionConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("gated-convolution longer than the context", small with { Mixer = new GatedConvolutionConfig { Conv = 19 } }),
        ("gated-convolution of the own token alone", small with { Mixer = new GatedConvolutionConfig { Conv = 1 }, Pattern = [new BlockConfig(), new BlockConfig { Mixer = new AttentionConfig() }] }),
    ];

    // Its kernels are those of the convolution with one gate.
    public override IReadOnlyList<string> Quick(string kind) => [];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override double[][] Forward(GatedConvolutionConfig mixer, NaiveLayer layer, double[][] x)
    {
        double[][][] parts = [.. x.Select(row => layer.Linear(row, "in_proj").Chunk(row.Length).ToArray())];
        double[][] convolved = NaiveConvolution.Of([.. parts.Select(part => NaiveLayer.Multiply(part[0], part[2]))], layer.Weight("conv1d.weight"), layer.Find("conv1d.bias"));
        return [.. parts.Select((part, t) => layer.Linear(NaiveLayer.Multiply(part[1], convolved[t]), "out_proj"))];
    }
}
