using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules.Adapters;

/// <summary>
/// A difference of low rank beside a layer's matrix: W + scale · B A, A [rank, in] and B [out, rank] (LoRA, arXiv 2106.09685). Names, defaults and initial values are those
/// of peft: A uniform within 1/√in, B zero, so that the model begins as it was.
/// </summary>
public sealed record LoraConfig : AdapterConfig
{
    public static LoraConfig Tiny => new() { Rank = 2, Alpha = 3, Targets = [AllLinear] };

    /// <summary>Rows of A and columns of B.</summary>
    [Bounds(1, 1 << 16)]
    public int Rank { get; init; } = 8;

    /// <summary>The difference is scaled by alpha / rank.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double Alpha { get; init; } = 8;

    /// <summary>Scales by alpha / √rank instead (rsLoRA, arXiv 2312.03732).</summary>
    public bool RankStabilized { get; init; }

    /// <summary>The share of what A reads that training sets to 0. Where a matrix is read as such, as by a recurrence, none is.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double Dropout { get; init; }

    /// <summary>B has a bias, which is scaled with it; none in layers of experts.</summary>
    public bool Bias { get; init; }

    /// <summary>What B A is multiplied by.</summary>
    internal double Scale => Alpha / (RankStabilized ? Math.Sqrt(Rank) : Rank);

    /// <inheritdoc/>
    public override Linear Wrap(ModuleBuilder builder, Linear layer) => new LoraLinear(
        layer,
        builder.Add("lora_A.weight", Layout.Of(Rank, layer.Inputs), ParameterRole.Head, First(layer.Inputs), GrowthKind.Output),
        builder.Add("lora_B.weight", Layout.Of(layer.Outputs, Rank), ParameterRole.Head, Initializer.Zero),
        Bias ? builder.Add("lora_B.bias", Layout.Of(layer.Outputs), ParameterRole.Vector, Initializer.Zero) : null,
        this);

    /// <inheritdoc/>
    public override GroupedLinear Wrap(ModuleBuilder builder, GroupedLinear layer) => new LoraGroupedLinear(
        layer,
        builder.Add("lora_A.weight", Layout.Of(layer.Groups, Rank, layer.Inputs), ParameterRole.Head, First(layer.Inputs), GrowthKind.Output),
        builder.Add("lora_B.weight", Layout.Of(layer.Groups, layer.Outputs, Rank), ParameterRole.Head, Initializer.Zero),
        this);

    private static Initializer First(int inputs) => Initializer.Uniform(1 / Math.Sqrt(inputs));
}

/// <summary>y = W x (+ b) + B (scale · A x) (+ scale · b_B).</summary>
internal sealed class LoraLinear(Linear layer, Parameter down, Parameter up, Parameter? upBias, LoraConfig config) : Linear
{
    public override int Inputs => layer.Inputs;

    public override int Outputs => layer.Outputs;

    public override bool IsMatrix => layer.IsMatrix && upBias is null && config.Dropout == 0;

    public override Tensor Weight(Tape tape) =>
        AddOp.Record(tape, layer.Weight(tape), MatMulOp.Record(tape, tape.Use(up), ScaleOp.Record(tape, tape.Use(down), config.Scale)));

    public override Tensor Bias(Tape tape)
    {
        Tensor bias = layer.Bias(tape);
        if (upBias is null)
        {
            return bias;
        }

        Tensor added = ScaleOp.Record(tape, tape.Use(upBias), config.Scale);
        return bias.IsNone ? added : AddOp.Record(tape, bias, added);
    }

    public override Tensor Forward(Tape tape, Tensor x, int start, int rows)
    {
        Tensor low = LinearOp.Record(tape, DropoutOp.Record(tape, x, config.Dropout), tape.Use(down), factor: config.Scale);
        Tensor bias = Bias(tape);
        return LinearSumOp.Record(tape, x, Rows(layer.Weight(tape), start, rows), bias.IsNone ? bias : Rows(bias, start, rows), low, Rows(tape.Use(up), start, rows));
    }
}

/// <summary>The same with a pair of matrices for each group of rows.</summary>
internal sealed class LoraGroupedLinear(GroupedLinear layer, Parameter down, Parameter up, LoraConfig config) : GroupedLinear
{
    public override int Groups => layer.Groups;

    public override int Inputs => layer.Inputs;

    public override int Outputs => layer.Outputs;

    public override Tensor Forward(Tape tape, Tensor x, Tensor offsets)
    {
        Tensor low = GroupedLinearOp.Record(tape, DropoutOp.Record(tape, x, config.Dropout), tape.Use(down), offsets);
        Tensor added = GroupedLinearOp.Record(tape, ScaleOp.Record(tape, low, config.Scale), tape.Use(up), offsets);
        return AddOp.Record(tape, layer.Forward(tape, x, offsets), added);
    }
}
