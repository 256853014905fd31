using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Experts, which we keep as stacks [E, ..] and transformers one by one.</summary>
internal static class ExpertRules
{
    private const string Experts = ".mlp.experts.";

    /// <summary>The rule of a stack, or null of another parameter.</summary>
    /// <param name="ours">Our parameter.</param>
    /// <param name="theirs">The name of an expert's matrix: what stands before, the expert, and our name of the matrix.</param>
    public static TensorRule? Of(WeightInfo ours, Func<string, int, string, string> theirs)
    {
        int at = ours.Name.IndexOf(Experts, StringComparison.Ordinal);
        if (at < 0)
        {
            return null;
        }

        string layer = ours.Name[..at], matrix = ours.Name[(at + Experts.Length)..^".weight".Length];
        return TensorRule.Stack(ours, expert => theirs(layer, expert, matrix));
    }

    /// <summary>A mixture as these models train and run it: softmax over all experts, nothing dropped, no losses of ours.</summary>
    public static MoeConfig Mixture(DenseConfig activation, int experts, int active, int hidden, bool renormalize) => new()
    {
        Experts = experts,
        Active = active,
        Hidden = hidden,
        Renormalize = renormalize,
        Activation = activation,
        BalanceLoss = 0,
        ZLoss = 0,
    };

    /// <summary>A model whose first layers have a dense feed-forward because their mixture says so (<see cref="MoeConfig.DenseLayers"/>), with that said of each layer.</summary>
    public static ModelConfig OneByOne(ModelConfig model) => !model.LayerConfigs().Any(layer => layer.FeedForward is MoeConfig { DenseLayers: > 0 })
        ? model
        : DecoderKeys.WithLayers(model, [.. model.LayerConfigs().Select((layer, i) => layer.FeedForward is not MoeConfig mixture ? layer : layer with
        {
            FeedForward = i < mixture.DenseLayers ? mixture.Activation with { Hidden = mixture.DenseHidden } : mixture with { DenseLayers = 0, DenseHidden = 0 },
        })]);

    /// <summary>The mixture of a model of ours, or one that no configuration of theirs means.</summary>
    public static MoeConfig In(ModelConfig model) => model.LayerConfigs().Select(layer => layer.FeedForward).OfType<MoeConfig>().FirstOrDefault() ?? new MoeConfig { Hidden = 1 };
}
