using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

/// <summary>The likeliest experts, weighted, and those that every token passes.</summary>
internal sealed class Moe : FeedForwardReference
{
    public override Type Config => typeof(MoeConfig);

    public override bool Chooses => true;

    public override int? Length(string letter, FeedForwardConfig feedForward) => letter == "E" ? ((MoeConfig)feedForward).Experts : null;

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("moe not renormalized", small with { FeedForward = MoeConfig.Tiny with { Renormalize = false, Shared = 0, Activation = new Relu2Config() } }),
        ("moe of one", small with { FeedForward = MoeConfig.Tiny with { Experts = 3, Active = 1, Shared = 2 } }),
    ];

    public override double[] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[] x)
    {
        var moe = (MoeConfig)feedForward;
        var dense = (IDenseReference)Of(moe.Activation);
        double[] exponentials = [.. NaiveLayer.Times(layer.Weight("gate.weight"), x).Select(Math.Exp)];
        double[] probabilities = [.. exponentials.Select(e => e / exponentials.Sum())];
        int[] chosen = [.. Enumerable.Range(0, moe.Experts).OrderByDescending(e => probabilities[e]).Take(moe.Active)];
        double share = moe.Renormalizes ? chosen.Sum(e => probabilities[e]) : 1;
        double[] y = moe.Shared > 0 ? Of(moe.Activation).Forward(moe.Activation, layer.In("shared_experts"), x) : new double[x.Length];
        foreach (int e in chosen)
        {
            double[] Part(string name) => layer.Weight($"experts.{name}.weight") is { } all ? NaiveLayer.Row(all, e, all.Length / moe.Experts) : [];
            double[]? gate = layer.Has("experts.gate_proj.weight") ? NaiveLayer.Times(Part("gate_proj"), x) : null;
            double[] result = NaiveLayer.Times(Part("down_proj"), dense.Activate(gate, NaiveLayer.Times(Part("up_proj"), x)));
            y = NaiveLayer.Add(y, [.. result.Select(r => r * probabilities[e] / share)]);
        }

        return y;
    }
}
