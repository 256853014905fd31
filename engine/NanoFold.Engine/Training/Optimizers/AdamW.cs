using NanoFold.Engine.Configuration;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Training;

/// <summary>Adam with decoupled weight decay, for every parameter.</summary>
public sealed record AdamWConfig : AdamConfig
{
    /// <inheritdoc/>
    /// <remarks>The rates are nanoGPT's for these sizes.</remarks>
    public override OptimizerDefaults Defaults(string preset) => preset == "gpt2" ? new(6e-4, 0.1, 700) : new(1e-3, 0.1, 100);

    /// <inheritdoc/>
    public override UpdateRule Build(OptimizerBuilder builder) => new AdamW(builder, this);
}

/// <summary>What optimizers have that update some parameters by Adam.</summary>
public abstract record AdamConfig : OptimizerConfig
{
    /// <summary>AdamW's average of gradients: the share of the past; null for 0.9.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double? Beta1 { get; init; }

    /// <summary>AdamW's average of squared gradients: the share of the past; null for what suits the preset, 0.99 or, with gpt2, 0.95.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double? Beta2 { get; init; }

    /// <summary>What AdamW adds to the root of the squared gradients; null for 1e-8.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double? Epsilon { get; init; }

    /// <inheritdoc/>
    public override OptimizerConfig Resolve(string preset) => this with { Beta1 = Beta1 ?? 0.9, Beta2 = Beta2 ?? (preset == "gpt2" ? 0.95 : 0.99), Epsilon = Epsilon ?? 1e-8 };
}

/// <summary>AdamW (arXiv 1711.05101), in one pass of a kernel. Checkpoints have its moments as <c>first</c> and <c>second</c>.</summary>
internal class AdamW : UpdateRule
{
    private readonly AdamConfig _config;
    private readonly IKernel<AdamWCall> _update;
    private readonly IKernel<AdamWTogetherCall>? _together;
    private readonly OptimizerSlot _second;

    /// <param name="builder">Gives slots.</param>
    /// <param name="config">Resolved.</param>
    /// <param name="roles">Whose parameters it updates; all where none is named.</param>
    public AdamW(OptimizerBuilder builder, AdamConfig config, params IReadOnlyList<ParameterRole> roles)
        : base("adamw")
    {
        _config = config;
        _update = builder.Backend.Require<AdamWCall>();
        _together = builder.Backend.Find<AdamWTogetherCall>();
        First = builder.Slot("first");
        _second = builder.Slot("second", roles);
    }

    /// <summary>The average of gradients, of all roles: a rule that updates some of them otherwise has its own average there.</summary>
    protected OptimizerSlot First { get; }

    internal override TogetherUpdate? Together(IReadOnlyList<RoleRange> ranges)
    {
        RoleRange[] own = [.. ranges.SkipWhile(range => !_second.Has(range.Role))];
        return _together is null || own.Length == 0 ? null : new TogetherUpdate(_config, _together, First, _second, own);
    }

    protected override void Update(in RoleRange piece) => _update.Run(new AdamWCall(
        piece.State, piece.Values, piece.Gradients, piece.In(First), piece.In(_second), _config.Beta1!.Value, _config.Beta2!.Value, _config.Epsilon!.Value, piece.Decay)
    {
        Rate = piece.Rate,
    });
}
