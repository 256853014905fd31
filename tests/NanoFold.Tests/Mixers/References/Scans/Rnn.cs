using NanoFold.Engine.Mixers;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>h = tanh(in + hidden).</summary>
internal sealed class Rnn : MixerReference<RnnConfig>
{
    // Its kernels are those of the gated unit.
    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override double[][] Forward(RnnConfig mixer, NaiveLayer layer, double[][] x)
    {
        var h = new double[mixer.State];
        return [.. x.Select(row =>
        {
            h = [.. NaiveLayer.Add(layer.Linear(row, "in_proj"), layer.Linear(h, "h_proj")).Select(Math.Tanh)];
            return layer.Linear(h, "o_proj");
        })];
    }
}
