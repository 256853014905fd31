using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.FeedForward;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange;

/// <summary>Routers of published mixtures of experts: probabilities, choices and the loss that balances them.</summary>
public class PublishedRouterTests : EngineTests
{
    private static IEnumerable<string> Cases => ["mixtral", "qwen3-moe-mixed", "qwen3-moe-norm"];

    [TestCaseSource(nameof(Cases))]
    public void ProbabilitiesAndLoadsAreThoseOfTransformers(string name)
    {
        using var model = new PublishedModel(Path.Combine(SharedData.Path("peers/models"), name), Backend(threads: 2));
        var router = new Collector("*mlp.hook_router");
        var load = new Collector("*mlp.hook_expert_load");
        _ = model.LogitsOff(router, load);
        MoeConfig mixture = model.Model.Config.LayerConfigs().Select(layer => layer.FeedForward).OfType<MoeConfig>().First();
        int experts = mixture.Experts, layers = router.Read.Count;
        Assert.That(model.Expected.Tensors.Count(tensor => tensor.Name.StartsWith("router_logits.", StringComparison.Ordinal)), Is.EqualTo(layers));
        for (int layer = 0; layer < layers; layer++)
        {
            Numbers.AssertClose(router.Read[layer].Values, [.. SharedData.Reals(model.Expected, $"router_logits.{layer}").Chunk(experts).SelectMany(Softmax)], 1e-5, $"layer {layer}");
        }

        // The library pools tokens and choices of all layers before it multiplies, and its shares of a token's choices add up to their number.
        double[] probability = Mean(router.Read.SelectMany(read => read.Values), experts), share = Mean(load.Read.SelectMany(read => read.Values), experts);
        double loss = mixture.Active * experts * probability.Zip(share, (p, f) => p * f).Sum();
        Assert.That(loss, Is.EqualTo(SharedData.Reals(model.Expected, "aux_loss")[0]).Within(1e-5));
    }

    [Test]
    public void TheGradientOfBalancingIsThatOfTransformersForTheNumberOfChoices()
    {
        const string Gate = "model.layers.1.mlp.gate.weight";
        string folder = Path.Combine(SharedData.Path("peers/models"), "qwen3-moe-mixed");
        double[] without = Gradient(0), with = Gradient(1);
        using SafeTensorsFile expected = SafeTensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        Numbers.AssertClose([.. with.Zip(without, (a, b) => 2 * (a - b))], SharedData.Reals(expected, $"grad_aux.{Gate}"), 1e-5, "of balanceLoss = 1, two experts active");

        double[] Gradient(double balance)
        {
            using var model = new PublishedModel(folder, Backend(threads: 2), config => config with
            {
                Pattern = [.. config.Pattern!.Select(block => block.FeedForward is MoeConfig moe ? block with { FeedForward = moe with { BalanceLoss = balance } } : block)],
            });
            _ = model.TrainedOff();
            return Host.Gradient(model.Model.Store, model.Model.Store[Gate]);
        }
    }

    private static double[] Softmax(double[] logits)
    {
        double sum = logits.Sum(Math.Exp);
        return [.. logits.Select(logit => Math.Exp(logit) / sum)];
    }

    private static double[] Mean(IEnumerable<double> rows, int width)
    {
        double[][] all = [.. rows.Chunk(width)];
        return [.. Enumerable.Range(0, width).Select(i => all.Average(row => row[i]))];
    }
}
