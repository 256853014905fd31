using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Three branches with gates: over means of blocks, over blocks that those choose, over a window.</summary>
internal sealed class Nsa : AttentionFamily<NsaConfig>
{
    public override IReadOnlyList<string> Quick(string kind) => [$"{kind} grouped"];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [$"{kind} grouped"];

    protected override double[][] Forward(NsaConfig mixer, NaiveLayer layer, double[][] x)
    {
        HeadShape shape = mixer.ShapeFor(layer.Model);
        (int d, int dv, int group, int size) = (shape.HeadDim, shape.ValueDim, shape.Heads / shape.KvHeads, mixer.Block);
        double[][] q = Queries(mixer, layer, x), k = Keys(mixer, layer, x), v = Project(layer, x, "v_proj", shape.ValueWidth);
        double[][] keyMeans = Means(k, size), valueMeans = Means(v, size);
        return [.. x.Select((row, t) =>
        {
            double[] gates = [.. NaiveLayer.Times(layer.Weight("g_proj.weight"), row).Select(NaiveLayer.Sigmoid)], z = new double[shape.OutputWidth];
            int[] window = [.. Enumerable.Range(0, t + 1).Where(s => s > t - mixer.Window)], ended = [.. Enumerable.Range(0, (t + 1) / size)];
            for (int g = 0; g < shape.KvHeads; g++)
            {
                var shares = new double[(t / size) + 1];
                for (int h = g * group; h < (g + 1) * group; h++)
                {
                    foreach ((int c, double p) in ended.Zip(Weights(h, keyMeans, ended)))
                    {
                        shares[c] += p / group;
                    }
                }

                shares[0] = shares[^1] = shares[Math.Max(0, shares.Length - 2)] = 1;
                int[] blocks = [.. Enumerable.Range(0, shares.Length).OrderByDescending(c => shares[c]).ThenBy(c => c).Take(mixer.TopBlocks)];
                int[] selected = [.. Enumerable.Range(0, t + 1).Where(s => blocks.Contains(s / size))];
                for (int h = g * group; h < (g + 1) * group; h++)
                {
                    Add(h, gates[3 * h], valueMeans, ended, Weights(h, keyMeans, ended));
                    Add(h, gates[(3 * h) + 1], v, selected, Weights(h, k, selected));
                    Add(h, gates[(3 * h) + 2], v, window, Weights(h, k, window));
                }
            }

            return layer.Linear(z, "o_proj");

            double[] Weights(int h, double[][] keys, int[] seen)
            {
                double[] weights = [.. seen.Select(s => Math.Exp(Enumerable.Range(0, d).Sum(i => q[t][(h * d) + i] * keys[s][(h / group * d) + i]) / Math.Sqrt(d)))];
                return [.. weights.Select(w => w / weights.Sum())];
            }

            void Add(int h, double gate, double[][] values, int[] seen, double[] weights)
            {
                for (int i = 0; i < dv; i++)
                {
                    z[(h * dv) + i] += gate * seen.Zip(weights, (s, w) => w * values[s][(h / group * dv) + i]).Sum();
                }
            }
        })];
    }

    private static double[][] Means(double[][] rows, int size) =>
        [.. rows.Chunk(size).Select(block => Enumerable.Range(0, rows[0].Length).Select(i => block.Average(row => row[i])).ToArray())];
}
