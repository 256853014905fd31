using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Residuals;

/// <summary>What residual connections are at first, and what holds of their mixing whatever was learned.</summary>
public class ResidualStartTests : EngineTests
{
    private static readonly ResidualConfig[] s_kinds =
    [
        new HyperConnectionsConfig(), new HyperConnectionsConfig { Streams = 3, Sinkhorn = 0 }, new HyperConnectionsConfig { Streams = 1, Sinkhorn = 2 }, new AttentionResidualsConfig(),
    ];

    /// <summary>Up to what a norm adds to the mean square: it sees a multiple of the plain stream.</summary>
    [TestCaseSource(nameof(s_kinds))]
    public void AModelBeginsAsThePlainOne(ResidualConfig residual)
    {
        ModelConfig config = ModelVariants.Base with { Layers = 3, NormEpsilon = 1e-12 };
        using var plain = new TinyModel(config, Backend(), DType.Float64, perturbed: false);
        using var model = new TinyModel(config with { Residual = residual }, Backend(), DType.Float64, perturbed: false);

        Numbers.AssertClose(model.Logits(model.Tokens), plain.Logits(plain.Tokens), 1e-7, residual.ToString());
    }

    [Test]
    public void RowsAndColumnsOfProductsSumToOne()
    {
        const int Streams = 4;
        using var model = new TinyModel(ModelVariants.Base with { Layers = 6, Residual = new HyperConnectionsConfig { Streams = Streams } }, Backend());
        var collector = new Collector("*.hook_res");
        _ = model.Logits(model.Tokens, taps: new TapSet([collector]));
        int tokens = model.Batch * model.Time;
        for (int t = 0; t < tokens; t++)
        {
            double[] product = [.. Enumerable.Range(0, Streams * Streams).Select(k => k / Streams == k % Streams ? 1.0 : 0)];
            foreach ((_, _, double[] res) in collector.Read)
            {
                double[] own = res[(t * Streams * Streams)..((t + 1) * Streams * Streams)];
                product = [.. product.Select((_, k) => Enumerable.Range(0, Streams).Sum(j => own[(k / Streams * Streams) + j] * product[(j * Streams) + (k % Streams)]))];
            }

            for (int i = 0; i < Streams; i++)
            {
                Assert.That(product[(i * Streams)..((i + 1) * Streams)].Sum(), Is.EqualTo(1).Within(1e-3), $"row {i} of token {t}");
                Assert.That(Enumerable.Range(0, Streams).Sum(k => product[(k * Streams) + i]), Is.EqualTo(1).Within(1e-5), $"column {i} of token {t}");
            }
        }
    }

    [Test]
    public void AnEditedStreamLetsNothingOfBeforePast()
    {
        foreach (ResidualConfig residual in s_kinds)
        {
            using var model = new TinyModel(ModelVariants.Base with { Residual = residual }, Backend());
            var owned = new List<IDisposable>();
            View view = Host.New(model.Store.Backend, DType.Float32, [1, 1, 16], Numbers.Uniform("stream", 16, -1, 1), owned);
            double[] Patched(int[] tokens) => model.Logits(tokens, taps: new TapSet([], [new Engine.Taps.Ablate("blocks.1.hook_resid_pre"), new Engine.Taps.Steer("blocks.1.hook_resid_pre", view)]));
            int[] other = [.. model.Tokens.Select(token => (token + 5) % model.Model.Config.Vocab)];

            Numbers.AssertClose(Patched(other), Patched(model.Tokens), 1e-6, residual.ToString());
            owned.ForEach(o => o.Dispose());
        }
    }
}
