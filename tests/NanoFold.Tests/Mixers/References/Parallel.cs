using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Several mixers beside each other, their results normed and added.</summary>
internal sealed class Parallel : MixerReference<ParallelConfig>
{
    public override IReadOnlyList<string> Quick(string kind) => [];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    public override int? Length(string letter, MixerConfig mixer, ModelConfig model) =>
        ((ParallelConfig)mixer).Mixers.Select(member => Of(member).Length(letter, member, model)).FirstOrDefault(length => length is not null);

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("parallel of three", small with { Mixer = new ParallelConfig { Mixers = [AttentionConfig.Tiny, ConvolutionConfig.Tiny, AttentionConfig.Tiny] } })];

    protected override double[][] Forward(ParallelConfig mixer, NaiveLayer layer, double[][] x)
    {
        double[][] y = [.. x.Select(row => new double[row.Length])];
        for (int i = 0; i < mixer.Mixers.Count; i++)
        {
            double[][] made = Of(mixer.Mixers[i]).Forward(mixer.Mixers[i], layer.In($"mixers.{i}"), x);
            double[] gain = layer.Weight($"norms.{i}.weight");
            y = [.. y.Zip(made, (sum, row) => NaiveLayer.Add(sum, layer.Rms(row, gain)))];
        }

        return y;
    }
}
