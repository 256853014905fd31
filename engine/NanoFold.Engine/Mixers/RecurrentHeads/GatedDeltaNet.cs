using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// The delta rule with a decay for each token and head, exp(−exp(A_log) · softplus(W_a x + dt_bias)), and the norm of each head times silu(W_g x) (arXiv 2412.06464).
/// </summary>
public sealed record GatedDeltaNetConfig : DeltaFamilyConfig
{
    public static GatedDeltaNetConfig Tiny => new() { Conv = 3 };

    /// <summary>Heads of queries and keys, each serving several of values; 0 for as many as there are heads. Then model.kvHeads does not count.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int KeyHeads { get; init; }

    /// <summary>Heads that are projected: queries, keys, values.</summary>
    public (int Query, int Key, int Value) HeadsFor(ModelShape model)
    {
        HeadShape shape = ShapeFor(model);
        return KeyHeads > 0 ? (KeyHeads, KeyHeads, shape.Heads) : (shape.Heads, shape.KvHeads, shape.KvHeads);
    }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        int heads = ShapeFor(model).Heads;
        if (KeyHeads == 0)
        {
            foreach (ConfigProblem problem in base.Validate(model, path))
            {
                yield return problem;
            }
        }
        else if (heads % KeyHeads != 0)
        {
            yield return new ConfigProblem($"{path}.keyHeads", $"{KeyHeads} does not divide {Key(path, "heads", Heads)} = {heads}");
        }
        else if (KvHeads > 0)
        {
            yield return new ConfigProblem($"{path}.keyHeads", $"cannot be set beside {path}.kvHeads: values then have all heads");
        }
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new GatedDeltaNet(builder, this);
}

internal sealed class GatedDeltaNet : DeltaNet
{
    private readonly Linear _step;
    private readonly StepDecay _decay;

    public GatedDeltaNet(ModuleBuilder builder, GatedDeltaNetConfig config)
        : base(builder, config, config.ShapeFor(builder.Model), config.HeadsFor(builder.Model), hasGate: true)
    {
        _step = Builder.Linear("a_proj", Model.Width, Shape.Heads, Initialization.Input(Model.Width));
        _decay = new StepDecay(Builder, Shape.Heads, leastRate: 0);
    }

    protected override IReadOnlyList<TapPoint> OwnPoints => [.. StepDecay.Points("H"), .. base.OwnPoints];

    protected override Tensor Decay(Tape tape, Tensor x) => _decay.Decay(tape, _decay.Step(tape, _step.Forward(tape, x)));
}
