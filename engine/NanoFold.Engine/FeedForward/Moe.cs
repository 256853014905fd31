using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.FeedForward;

/// <summary>
/// A mixture of experts: a router scores all experts, and the <see cref="Active"/> best take the token (Mixtral, DeepSeek-V3).
/// </summary>
public sealed record MoeConfig : FeedForwardConfig
{
    private const double SwitchBalance = 0.01, SwitchZ = 0.001, DeepSeekRate = 0.001;

    public static MoeConfig Tiny => new() { Experts = 4, Active = 2, Shared = 1, Hidden = 16 };

    /// <summary>E, the experts that are chosen from.</summary>
    [Bounds(1, 1024)]
    public int Experts { get; init; } = 8;

    /// <summary>k, the experts that a token is sent to.</summary>
    [Bounds(1, 1024)]
    public int Active { get; init; } = 2;

    /// <summary>Experts that every token passes besides.</summary>
    [Bounds(0, 1024)]
    public int Shared { get; init; }

    /// <summary>F of the experts that every token passes, together one feed-forward; 0 for shared · hidden.</summary>
    [Bounds(0, 1 << 29, Auto = true)]
    public int SharedHidden { get; init; }

    /// <summary>What they give is multiplied by σ(w · x), a number for each token (Qwen3-Next).</summary>
    public bool SharedGate { get; init; }

    /// <summary>The router has a bias, and so has each matrix of the experts that are chosen from (gpt-oss); model.bias is not for them.</summary>
    public bool Bias { get; init; }

    /// <summary>What a router makes of its logits: softmax over the experts, or a sigmoid for each.</summary>
    public RouterKind Routing { get; init; }

    /// <summary>α of the balance loss α · E · Σ_e f_e P_e, f_e the share of (token, slot) pairs: 1 · α when balanced. Of softmax routing; null for 0.01 there.</summary>
    [Bounds(0)]
    public double? BalanceLoss { get; init; }

    /// <summary>Weight of mean(logsumexp(logits)²) of the router. Of softmax routing; null for 0.001 there.</summary>
    [Bounds(0)]
    public double? ZLoss { get; init; }

    /// <summary>
    /// u of auxiliary-loss-free balancing: experts are chosen by score + bias, and after each step bias_e += u · sign(mean load − load_e), the load that of the whole step. The bias is part of
    /// the model and of its checkpoints, not of gradients. Null for 0.001 with sigmoid routing and 0 with softmax.
    /// </summary>
    [Bounds(0)]
    public double? BiasRate { get; init; }

    /// <summary>
    /// The weights of the chosen experts are made to add up to 1; null for that where more than one is active. A single weight would always be 1 and give the
    /// router no gradient: it stays the expert's score, as in Switch Transformer.
    /// </summary>
    public bool? Renormalize { get; init; }

    /// <summary>A factor on the weights of the chosen experts.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double RouteScale { get; init; } = 1;

    /// <summary>Groups that experts lie in, one after the other: a token chooses from <see cref="ActiveGroups"/> of them, those with the largest sum of their two best experts (DeepSeek-V3).</summary>
    [Bounds(1, 512)]
    public int Groups { get; init; } = 1;

    /// <summary>Groups that a token chooses from; 0 for all.</summary>
    [Bounds(0, 512, Auto = true)]
    public int ActiveGroups { get; init; }

    /// <summary>
    /// c: in training an expert takes the first ⌈c · k · T / E⌉ (token, slot) pairs of each sequence, and further ones are dropped; 0 for no limit. Outside of training nothing is dropped.
    /// </summary>
    [Bounds(0)]
    public double Capacity { get; init; }

    /// <summary>The first layers of the model that have a dense feed-forward, of the experts' kind, in place of experts.</summary>
    [Bounds(0, 4096)]
    public int DenseLayers { get; init; }

    /// <summary>F of those layers; 0 for active · hidden + sharedHidden, as much work as with experts.</summary>
    [Bounds(0, 1 << 29, Auto = true)]
    public int DenseHidden { get; init; }

    /// <summary>What each expert is: a kind without settings of its own.</summary>
    [KindOnly]
    public DenseConfig Activation { get; init; } = new SwiGluConfig();

    internal bool Renormalizes => Renormalize ?? Active > 1;

    /// <summary>Whether a bias decides about the choice with the scores.</summary>
    internal bool HasBias => Routing == RouterKind.Sigmoid || BiasRate > 0;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        if (Active > Experts)
        {
            yield return new ConfigProblem($"{path}.active", $"{Active} is more than {path}.experts = {Experts}");
        }

        if (Renormalize == true && Active == 1 && Experts > 1)
        {
            yield return new ConfigProblem($"{path}.renormalize", $"true makes the only weight {(RouteScale == 1 ? "1" : "the scale")} where {path}.active = 1, so the loss gives the router no gradient; use null or false for the expert's {(Routing == RouterKind.Sigmoid ? "score" : "probability")}");
        }

        if (Routing == RouterKind.Sigmoid && BalanceLoss > 0)
        {
            yield return new ConfigProblem($"{path}.balanceLoss", $"is a loss of probabilities, which {path}.routing=sigmoid has none of; use null, and {path}.biasRate to balance");
        }

        if (Routing == RouterKind.Sigmoid && ZLoss > 0)
        {
            yield return new ConfigProblem($"{path}.zLoss", $"is a loss of the softmax's sum, which {path}.routing=sigmoid has none of; use null");
        }

        if (Experts % Groups != 0 || (Groups > 1 && Experts / Groups < 2))
        {
            yield return new ConfigProblem($"{path}.groups", $"{Groups} groups of {path}.experts = {Experts} are not equal and of two experts at least");
        }

        if (ActiveGroups > Groups)
        {
            yield return new ConfigProblem($"{path}.activeGroups", $"{ActiveGroups} is more than {path}.groups = {Groups}");
        }
        else if (ActiveGroups > 0 && Active > (long)ActiveGroups * (Experts / Groups))
        {
            yield return new ConfigProblem($"{path}.activeGroups", $"{ActiveGroups} of {Groups} groups hold fewer experts than {path}.active = {Active}");
        }

        if (DenseLayers >= model.Layers)
        {
            yield return new ConfigProblem($"{path}.denseLayers", $"{DenseLayers} leaves none of model.layers = {model.Layers} with experts; name the dense kind in place of moe");
        }

        foreach ((string name, bool isSet) in Shared == 0 ? [("sharedHidden", SharedHidden > 0), ("sharedGate", SharedGate)] : Array.Empty<(string, bool)>())
        {
            if (isSet)
            {
                yield return new ConfigProblem($"{path}.{name}", $"says nothing where {path}.shared = 0");
            }
        }

        if (DenseHidden > 0 && DenseLayers == 0)
        {
            yield return new ConfigProblem($"{path}.denseHidden", $"says nothing where {path}.denseLayers = 0");
        }
    }

    /// <inheritdoc/>
    public override FeedForwardConfig Resolve(ModelShape model)
    {
        bool isSoftmax = Routing == RouterKind.Softmax;
        int hidden = HiddenFor(model);
        return this with
        {
            Hidden = hidden,
            Renormalize = Renormalizes,
            BalanceLoss = BalanceLoss ?? (isSoftmax ? SwitchBalance : 0),
            ZLoss = ZLoss ?? (isSoftmax ? SwitchZ : 0),
            BiasRate = BiasRate ?? (isSoftmax ? 0 : DeepSeekRate),
            ActiveGroups = ActiveGroups > 0 ? ActiveGroups : Groups,
            SharedHidden = SharedHidden > 0 ? SharedHidden : Shared * hidden,
            DenseHidden = DenseHidden > 0 || DenseLayers == 0 ? DenseHidden : (Active * hidden) + (SharedHidden > 0 ? SharedHidden : Shared * hidden),
        };
    }

    /// <inheritdoc/>
    public override int DefaultHidden(int width) => Activation.DefaultHidden(width);

    /// <inheritdoc/>
    public override FeedForwardModule Build(ModuleBuilder builder)
    {
        var resolved = (MoeConfig)Resolve(builder.Model);
        return builder.Layer < DenseLayers ? new Dense(builder.In("mlp"), resolved.DenseHidden, Activation, isPart: true) : new Moe(builder.In("mlp"), resolved);
    }
}

/// <summary>How a router turns its logits into scores of experts.</summary>
public enum RouterKind
{
    /// <summary>Probabilities: the softmax over all experts (Mixtral, arXiv 2401.04088). A loss keeps the experts balanced (Switch Transformer, arXiv 2101.03961).</summary>
    Softmax,

    /// <summary>A sigmoid for each expert (DeepSeek-V3, arXiv 2412.19437). A bias on the choice keeps the experts balanced, without a loss (arXiv 2408.15664).</summary>
    Sigmoid,
}
