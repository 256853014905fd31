using System.Text.Json;
using NanoFold.Engine.Configuration;
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
        ("moe of sigmoids", small with
        {
            FeedForward = MoeConfig.Tiny with
            {
                Routing = RouterKind.Sigmoid, Groups = 2, ActiveGroups = 1, RouteScale = 2.5, Capacity = 0.75, DenseLayers = 1, DenseHidden = 8, Activation = new GeGluTanhConfig(),
            },
        }),
    ];

    public override FeedForwardConfig Read(JsonElement config)
    {
        // Options are members of the config, or of an object of their own; those that are not there are as usual.
        JsonElement options = config.TryGetProperty("feedForwardOptions", out JsonElement own) ? own : config;
        bool Has(string key, out JsonElement value) =>
            (options.TryGetProperty(key, out value) || config.TryGetProperty(key, out value)) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined);
        int Number(string key, int usual) => Has(key, out JsonElement value) ? value.GetInt32() : usual;
        double? Real(string key) => Has(key, out JsonElement value) ? value.GetDouble() : null;
        string Word(string key, string usual) => Has(key, out JsonElement value) ? value.GetString()! : usual;
        return new MoeConfig
        {
            Experts = Number("experts", 8),
            Active = Number("active", 2),
            Shared = Number("shared", 0),
            Routing = Enum.Parse<RouterKind>(Word("routing", "softmax"), ignoreCase: true),
            BalanceLoss = Real("balanceLoss"),
            ZLoss = Real("zLoss"),
            Renormalize = Has("renormalize", out JsonElement renormalize) ? renormalize.GetBoolean() : null,
            RouteScale = Real("routeScale") ?? 1,
            Groups = Number("groups", 1),
            ActiveGroups = Number("activeGroups", 0),
            Capacity = Real("capacity") ?? 0,
            DenseLayers = Number("denseLayers", 0),
            DenseHidden = Number("denseHidden", 0),
            Activation = (DenseConfig)Activator.CreateInstance(Variant.Of<FeedForwardConfig>().Single(v => v.Kind == Word("activation", "swiglu")).Type)!,
        };
    }

    public override double[] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[] x)
    {
        var moe = (MoeConfig)feedForward;
        var dense = (IDenseReference)Of(moe.Activation);
        if (!layer.Has("gate.weight"))
        {
            return Of(moe.Activation).Forward(moe.Activation, layer, x);
        }

        double[] logits = NaiveLayer.Times(layer.Weight("gate.weight"), x), exponentials = [.. logits.Select(Math.Exp)];
        double[] scores = [.. moe.Routing == RouterKind.Sigmoid ? logits.Select(NaiveLayer.Sigmoid) : exponentials.Select(e => e / exponentials.Sum())];
        int[] chosen = Choose(moe, layer.Find("gate.e_score_correction_bias") is { } bias ? NaiveLayer.Add(scores, bias) : scores);
        double share = (moe.Renormalizes ? chosen.Sum(e => scores[e]) + 1e-20 : 1) / moe.RouteScale;
        double[] y = moe.Shared > 0 ? Of(moe.Activation).Forward(moe.Activation, layer.In("shared_experts"), x) : new double[x.Length];
        foreach (int e in chosen)
        {
            double[] Part(string name) => layer.Weight($"experts.{name}.weight") is { } all ? NaiveLayer.Row(all, e, all.Length / moe.Experts) : [];
            double[]? gate = layer.Has("experts.gate_proj.weight") ? NaiveLayer.Times(Part("gate_proj"), x) : null;
            double[] result = NaiveLayer.Times(Part("down_proj"), dense.Activate(gate, NaiveLayer.Times(Part("up_proj"), x)));
            y = NaiveLayer.Add(y, [.. result.Select(r => r * scores[e] / share)]);
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
