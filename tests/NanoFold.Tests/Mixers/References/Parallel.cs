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
    [
        ("parallel of three", small with { Mixer = new ParallelConfig { Mixers = [AttentionConfig.Tiny, ConvolutionConfig.Tiny, AttentionConfig.Tiny] } }),
        ("parallel without norms", small with { Mixer = new ParallelConfig { Mixers = [Mamba2Config.Tiny, AttentionConfig.Tiny], Normed = false, InputScales = [1.5, 0.8], OutputScales = [1, 0.3] } }),
    ];

    protected override double[][] Forward(ParallelConfig mixer, NaiveLayer layer, double[][] x)
    {
        double[][] y = [.. x.Select(row => new double[row.Length])];
        for (int i = 0; i < mixer.Mixers.Count; i++)
        {
            double[][] made = Of(mixer.Mixers[i]).Forward(mixer.Mixers[i], layer.In($"mixers.{i}"), Scaled(x, mixer.InputScales, i));
            double[][] joined = mixer.Normed ? [.. made.Select(row => layer.Rms(row, layer.Weight($"norms.{i}.weight")))] : Scaled(made, mixer.OutputScales, i);
            y = [.. y.Zip(joined, NaiveLayer.Add)];
        }

        return y;
    }

    private static double[][] Scaled(double[][] x, IReadOnlyList<double> scales, int member) =>
        scales.Count == 0 ? x : [.. x.Select(row => row.Select(v => scales[member] * v).ToArray())];
}
