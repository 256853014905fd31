using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Heads that fade by constants of their own, with rotary positions.</summary>
internal sealed class Retention : RecurrentHeads<RetentionConfig>
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("retention with wide values", small with { Mixer = new RetentionConfig { Heads = 2, HeadDim = 6, ValueDim = 11 } })];

    protected override double[] Feature(RetentionConfig mixer, ModelConfig model, double[] head, int position)
    {
        var y = new double[head.Length];
        for (int i = 0; i < head.Length / 2; i++)
        {
            (int a, int b) = model.RopeInterleaved ? (2 * i, 2 * i + 1) : (i, i + head.Length / 2);
            (double sin, double cos) = Math.SinCos(position / Math.Pow(model.RopeBase, 2.0 * i / head.Length));
            y[a] = head[a] * cos - head[b] * sin;
            y[b] = head[b] * cos + head[a] * sin;
        }

        return y;
    }

    protected override double[] Decay(RetentionConfig mixer, NaiveLayer layer, double[] x, int head, int keyWidth) =>
        [.. Enumerable.Repeat(1 - Math.Pow(2, -5 - head), keyWidth)];
}
