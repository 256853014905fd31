using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.FeedForward;

/// <summary>
/// A mixture of experts, dropless: softmax over all experts, the likeliest <see cref="Active"/> take the token (Mixtral). Neither the router nor the experts that are chosen from have biases.
/// </summary>
public sealed record MoeConfig : FeedForwardConfig
{
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

    /// <summary>α of the balance loss α · E · Σ_e f_e P_e, f_e the share of (token, slot) pairs: 1 · α when balanced.</summary>
    [Bounds(0)]
    public double BalanceLoss { get; init; } = 0.01;

    /// <summary>Weight of mean(logsumexp(logits)²) of the router.</summary>
    [Bounds(0)]
    public double ZLoss { get; init; } = 0.001;

    /// <summary>
    /// The weights of the chosen experts are made to add up to 1; null for that where more than one is active. A single weight would always be 1 and give the
    /// router no gradient: it stays the expert's probability, as in Switch Transformer.
    /// </summary>
    public bool? Renormalize { get; init; }

    /// <summary>What each expert is: a kind without settings of its own.</summary>
    [KindOnly]
    public DenseConfig Activation { get; init; } = new SwiGluConfig();

    internal bool Renormalizes => Renormalize ?? Active > 1;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        if (Active > Experts)
        {
            yield return new ConfigProblem($"{path}.active", $"{Active} is more than {path}.experts = {Experts}");
        }

        if (Renormalize == true && Active == 1 && Experts > 1)
        {
            yield return new ConfigProblem($"{path}.renormalize", $"true makes the only weight 1 where {path}.active = 1, so the loss gives the router no gradient; use null or false for the expert's probability");
        }
    }

    /// <inheritdoc/>
    public override FeedForwardConfig Resolve(ModelShape model) => this with { Hidden = HiddenFor(model), Renormalize = Renormalizes };

    /// <inheritdoc/>
    public override int DefaultHidden(int width) => Activation.DefaultHidden(width);

    /// <inheritdoc/>
    public override FeedForwardModule Build(ModuleBuilder builder) => new Moe(builder.In("mlp"), this with { Hidden = HiddenFor(builder.Model) });
}
