using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

/// <summary>The best experts, weighted, and those that every token passes; outside of training, so that nothing is dropped.</summary>
internal sealed class Moe : FeedForwardReference
{
    public override Type Config => typeof(MoeConfig);

    public override bool Chooses => true;

    public override int? Length(string letter, FeedForwardConfig feedForward) => letter == "E" ? ((MoeConfig)feedForward).Experts : null;

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
    [
        ("moe not renormalized", small with { FeedForward = MoeConfig.Tiny with { Renormalize = false, Shared = 0, Activation = new Relu2Config() } }),
        ("moe of one", small with { FeedForward = MoeConfig.Tiny with { Experts = 3, Active = 1, Shared = 2 } }),
        ("moe with biases", small with { FeedForward = MoeConfig.Tiny with { Bias = true, Shared = 0, Capacity = 0.75, Activation = new ClampedSwiGluConfig() } }),
        ("moe with a gate on the shared expert", small with { FeedForward = MoeConfig.Tiny with { SharedHidden = 10, SharedGate = true } }),
        ("moe of sigmoids", small with
        {
            FeedForward = MoeConfig.Tiny with
            {
                Routing = RouterKind.Sigmoid, Groups = 2, ActiveGroups = 1, RouteScale = 2.5, Capacity = 0.75, DenseLayers = 1, DenseHidden = 8, Activation = new GeGluTanhConfig(),
            },
        }),
    ];

    public override double[] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[] x)
    {
        var moe = (MoeConfig)feedForward;
        var dense = (IDenseReference)Of(moe.Activation);
        if (!layer.Has("gate.weight"))
        {
            return Of(moe.Activation).Forward(moe.Activation, layer, x);
        }

        double[] logits = layer.Linear(x, "gate"), exponentials = [.. logits.Select(Math.Exp)];
        double[] scores = [.. moe.Routing == RouterKind.Sigmoid ? logits.Select(NaiveLayer.Sigmoid) : exponentials.Select(e => e / exponentials.Sum())];
        int[] chosen = Choose(moe, layer.Find("gate.e_score_correction_bias") is { } bias ? NaiveLayer.Add(scores, bias) : scores);
        double total = (moe.Renormalizes ? chosen.Sum(e => scores[e]) + 1e-20 : 1) / moe.RouteScale;
        double[] y = moe.Shared > 0 ? Of(moe.Activation).Forward(moe.Activation, layer.In("shared_experts"), x) : new double[x.Length];
        if (moe.SharedGate)
        {
            double share = NaiveLayer.Sigmoid(layer.Linear(x, "shared_gate")[0]);
            y = [.. y.Select(value => share * value)];
        }

        foreach (int e in chosen)
        {
            double[] Part(double[] all) => NaiveLayer.Row(all, e, all.Length / moe.Experts);
            double[] Linear(double[] read, string name)
            {
                double[] made = NaiveLayer.Times(Part(layer.Weight($"experts.{name}.weight")), read);
                return layer.Find($"experts.{name}.bias") is { } bias ? NaiveLayer.Add(made, Part(bias)) : made;
            }

            double[]? gate = layer.Has("experts.gate_proj.weight") ? Linear(x, "gate_proj") : null;
            double[] result = Linear(dense.Activate(gate, Linear(x, "up_proj")), "down_proj");
            y = NaiveLayer.Add(y, [.. result.Select(r => r * scores[e] / total)]);
        }

        return y;
    }

    private static int[] Choose(MoeConfig moe, double[] values)
    {
        int size = moe.Experts / moe.Groups;
        double[] worths = [.. values.Chunk(size).Select(group => group.OrderDescending().Take(2).Sum())];
        int[] groups = [.. Enumerable.Range(0, moe.Groups).OrderByDescending(g => worths[g]).Take(moe.ActiveGroups > 0 ? moe.ActiveGroups : moe.Groups)];
        return [.. Enumerable.Range(0, moe.Experts).OrderByDescending(e => groups.Contains(e / size) ? values[e] : 0).Take(moe.Active)];
    }
}
