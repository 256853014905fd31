using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>Attention with a gate: Y' = Y ⊙ σ(X W_θ), X the normed input of the layer (arXiv 2505.06708). W_θ has no bias.</summary>
public sealed record GatedAttentionConfig : AttentionFamilyConfig
{
    public static GatedAttentionConfig Tiny => new();

    /// <summary>Y, what is multiplied by the gates.</summary>
    public GatePosition Gate { get; init; } = GatePosition.AttentionOutput;

    /// <summary>How many gates a token has.</summary>
    public GateGranularity Granularity { get; init; } = GateGranularity.Elementwise;

    /// <inheritdoc/>
    protected override bool CanCapScores => true;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        if (Gate == GatePosition.Output && Granularity == GateGranularity.Headwise)
        {
            yield return new ConfigProblem($"{path}.granularity", "cannot be \"headwise\" with gate \"G5\": the output of W_o has no heads");
        }
    }

    /// <summary>Gates per token, the output width of W_θ.</summary>
    public int Gates(ModelShape model)
    {
        HeadShape shape = ShapeFor(model);
        bool perHead = Granularity == GateGranularity.Headwise;
        return Gate switch
        {
            GatePosition.AttentionOutput => perHead ? shape.Heads : shape.OutputWidth,
            GatePosition.Queries => perHead ? shape.Heads : shape.QueryWidth,
            GatePosition.Values => perHead ? shape.KvHeads : shape.ValueWidth,
            GatePosition.Keys => perHead ? shape.KvHeads : shape.KeyWidth,
            _ => model.Width,
        };
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new GatedAttention(builder, this);
}

internal sealed class GatedAttention : AttentionMixer
{
    private readonly GatedAttentionConfig _config;
    private readonly Linear _gate;

    public GatedAttention(ModuleBuilder builder, GatedAttentionConfig config)
        : base(builder, config.ShapeFor(builder.Model))
    {
        _config = config;
        _gate = Builder.Linear("gate_proj", Model.Width, config.Gates(Model), Initialization.Gate);
    }

    public override IReadOnlyList<TapPoint> TapPoints => [.. base.TapPoints, TapPoint.Gate("attn.hook_gate", GateShape)];

    private string GateShape => (_config.Gate, _config.Granularity) switch
    {
        (GatePosition.Output, _) => "B T C",
        (GatePosition.AttentionOutput or GatePosition.Queries, GateGranularity.Headwise) => "B T H 1",
        (_, GateGranularity.Headwise) => "B T G 1",
        (GatePosition.AttentionOutput, _) => $"B T H {Shape.ValueLetter}",
        (GatePosition.Values, _) => $"B T G {Shape.ValueLetter}",
        (GatePosition.Queries, _) => "B T H D",
        _ => "B T G D",
    };

    protected override Tensor OnQueries(Tape tape, Tensor x, Tensor q) => GateAt(GatePosition.Queries, tape, x, q);

    protected override Tensor OnKeys(Tape tape, Tensor x, Tensor k) => GateAt(GatePosition.Keys, tape, x, k);

    protected override Tensor OnValues(Tape tape, Tensor x, Tensor v) => GateAt(GatePosition.Values, tape, x, v);

    protected override Tensor OnHeads(Tape tape, Tensor x, Tensor z) => GateAt(GatePosition.AttentionOutput, tape, x, z);

    protected override Tensor OnOutput(Tape tape, Tensor x, Tensor y) => GateAt(GatePosition.Output, tape, x, y);

    private Tensor GateAt(GatePosition position, Tape tape, Tensor x, Tensor value)
    {
        if (position != _config.Gate)
        {
            return value;
        }

        Tensor gate = ActivationOp<Sigmoid>.Record(tape, _gate.Forward(tape, x));
        int[] shape = value.Layout.ToShape();
        // One gate per head is broadcast over the head's elements.
        shape[^1] = (int)(gate.Layout.Count / (value.Layout.Count / value[-1]));
        return MultiplyOp.Record(tape, value, Tap.At(tape, "hook_gate", gate.Reshape(shape)));
    }
}
