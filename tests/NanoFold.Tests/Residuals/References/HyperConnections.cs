using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Residuals.References;

/// <summary>n streams of every token, mixed by coefficients that are made of all of them.</summary>
internal sealed class HyperConnections : ResidualReference
{
    public override Type Config => typeof(HyperConnectionsConfig);

    public override NaiveStream Begin(ResidualConfig residual, NaiveLayer model, double[][] embedding) => new Stream((HyperConnectionsConfig)residual, embedding);

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ResidualConfig tiny, ModelConfig small) =>
    [
        .. base.Variants(tiny, small),
        ("hyper-connections free", small with { Residual = new HyperConnectionsConfig { Streams = 3, Sinkhorn = 0 }, Bias = true }),
        ("hyper-connections, not every layer mixes", small with
        {
            Residual = new HyperConnectionsConfig { Sinkhorn = 1 }, Pattern = [new BlockConfig { Mixer = new NoneConfig() }, new BlockConfig()],
        }),
    ];

    private sealed class Stream(HyperConnectionsConfig config, double[][] embedding) : NaiveStream
    {
        // [T][n][C].
        private double[][][] _x = [.. embedding.Select(row => Enumerable.Repeat(row, config.Streams).ToArray())];

        public override void Around(NaiveLayer layer, string name, Func<double[][], double[][]> subBlock)
        {
            int n = config.Streams;
            NaiveLayer own = layer.In(name);
            double[] alpha = own.Weight("alpha"), bias = own.Weight("bias");
            double[][] logits = [.. _x.Select(token =>
            {
                double[] all = [.. token.SelectMany(row => row)];
                double[] z = NaiveLayer.Times(own.Weight("phi.weight"), own.Rms(all, [.. all.Select(_ => 1.0)]));
                return z.Select((v, k) => (alpha[k < n ? 0 : k < 2 * n ? 1 : 2] * v) + bias[k]).ToArray();
            })];
            double[][] made = subBlock([.. _x.Zip(logits, (token, l) => Weighed(token, j => NaiveLayer.Sigmoid(l[j])))]);
            _x = [.. _x.Select((token, t) =>
            {
                double[,] res = Mixing(logits[t][(2 * n)..], n, config.Sinkhorn);
                return Enumerable.Range(0, n)
                    .Select(i => NaiveLayer.Add(Weighed(token, j => res[i, j]), [.. made[t].Select(f => 2 * NaiveLayer.Sigmoid(logits[t][n + i]) * f)])).ToArray();
            })];
        }

        public override double[][] End(NaiveLayer model) => [.. _x.Select(token => Weighed(token, _ => 1))];

        private static double[] Weighed(double[][] token, Func<int, double> weight) =>
            [.. token[0].Select((_, c) => Enumerable.Range(0, token.Length).Sum(j => weight(j) * token[j][c]))];

        private static double[,] Mixing(double[] logits, int n, int rounds)
        {
            var m = new double[n, n];
            for (int k = 0; k < n * n; k++)
            {
                m[k / n, k % n] = rounds > 0 ? Math.Exp(logits[k]) : logits[k];
            }

            for (int half = 0; half < 2 * rounds; half++)
            {
                // Rows first, then columns.
                for (int line = 0; line < n; line++)
                {
                    double sum = Enumerable.Range(0, n).Sum(k => half % 2 == 0 ? m[line, k] : m[k, line]);
                    for (int k = 0; k < n; k++)
                    {
                        _ = half % 2 == 0 ? m[line, k] /= sum : m[k, line] /= sum;
                    }
                }
            }

            return m;
        }
    }
}
