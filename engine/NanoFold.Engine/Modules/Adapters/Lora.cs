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

    /// <summary>
    /// Sizes and directions of the matrix's rows apart: m ⊙ (W + scale · B A) / ‖W + scale · B A‖, the norm of each row a constant of the gradient, m [out] trained, in the beginning
    /// the norms of W (DoRA, arXiv 2402.09353). Neither with a bias of B nor in layers of experts.
    /// </summary>
    public bool Dora { get; init; }

    /// <summary>The layers of one part of a block that it is put around share one A, as where another program keeps their matrices joined; not in layers of experts.</summary>
    public bool SharesA { get; init; }

    /// <summary>What B A is multiplied by.</summary>
    internal double Scale => Alpha / (RankStabilized ? Math.Sqrt(Rank) : Rank);

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path) =>
    [
        .. base.Validate(path),
        .. Dora && Bias ? [new ConfigProblem($"{path}.bias", "has no place beside dora, which scales rows; leave one of them out")] : Array.Empty<ConfigProblem>(),
    ];

    /// <inheritdoc/>
    public override Linear Wrap(ModuleBuilder builder, Linear layer)
    {
        Layout shape = Layout.Of(Rank, layer.Inputs);
        Parameter down = SharesA
            ? builder.AddShared("lora_A.weight", shape, this, First(layer.Inputs))
            : builder.Add("lora_A.weight", shape, ParameterRole.Head, First(layer.Inputs), GrowthKind.Output);
        Parameter up = builder.Add("lora_B.weight", Layout.Of(layer.Outputs, Rank), ParameterRole.Head, Initializer.Zero);
        return Dora
            ? new DoraLinear(layer, down, up, builder.Add(Magnitude, Layout.Of(layer.Outputs), ParameterRole.Vector, Initializer.NormsOf(builder.LayerMatrix)), this)
            : new LoraLinear(layer, down, up, Bias ? builder.Add("lora_B.bias", Layout.Of(layer.Outputs), ParameterRole.Vector, Initializer.Zero) : null, this);
    }

    /// <inheritdoc/>
    public override GroupedLinear Wrap(ModuleBuilder builder, GroupedLinear layer) => Dora || SharesA
        ? throw UserException.Usage($"model.adapters: \"lora\" with {(Dora ? "dora" : "sharesA")} cannot be put around layers of experts; name them in exclude")
        : new LoraGroupedLinear(
            layer,
            builder.Add("lora_A.weight", Layout.Of(layer.Groups, Rank, layer.Inputs), ParameterRole.Head, First(layer.Inputs), GrowthKind.Output),
            builder.Add("lora_B.weight", Layout.Of(layer.Groups, layer.Outputs, Rank), ParameterRole.Head, Initializer.Zero),
            this);

    /// <inheritdoc/>
    public override Embedding Wrap(ModuleBuilder builder, Embedding layer) => Dora || Bias
        ? throw UserException.Usage($"model.adapters: \"lora\" with {(Dora ? "dora" : "bias")} cannot be put around the vectors of tokens; name them in exclude")
        : new LoraEmbedding(
            layer,
            builder.Add("lora_embedding_A", Layout.Of(layer.Tokens, Rank), ParameterRole.Head, Initializer.Zero),
            builder.Add("lora_embedding_B", Layout.Of(layer.Width, Rank), ParameterRole.Head, Initializer.Normal(1)),
            this);

    /// <summary>What the sizes of rows are called.</summary>
    internal const string Magnitude = "lora_magnitude_vector";

    private static Initializer First(int inputs) => Initializer.Uniform(1 / Math.Sqrt(inputs));
}

/// <summary>y = W x (+ b) + B (scale · A x) (+ scale · b_B).</summary>
internal sealed class LoraLinear(Linear layer, Parameter down, Parameter up, Parameter? upBias, LoraConfig config) : Linear
{
    public override int Inputs => layer.Inputs;

    public override int Outputs => layer.Outputs;

    public override bool IsMatrix => layer.IsMatrix && upBias is null && config.Dropout == 0;

    public override Tensor Weight(Tape tape) => Sum(tape, layer, down, up, config);

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

    /// <summary>W + scale · B A.</summary>
    internal static Tensor Sum(Tape tape, Linear layer, Parameter down, Parameter up, LoraConfig config) =>
        AddOp.Record(tape, layer.Weight(tape), MatMulOp.Record(tape, tape.Use(up), ScaleOp.Record(tape, tape.Use(down), config.Scale)));
}

/// <summary>
/// y = g ⊙ (W x + B (scale · A x)) (+ b), g = m / ‖rows of W + scale · B A‖. What A reads drops out, and with it what the norm of the rows changes of W x, as in peft:
/// W x − W d + g ⊙ (W d + B (scale · A d)) with d the rest.
/// </summary>
internal sealed class DoraLinear(Linear layer, Parameter down, Parameter up, Parameter magnitude, LoraConfig config) : Linear
{
    public override int Inputs => layer.Inputs;

    public override int Outputs => layer.Outputs;

    public override Tensor Weight(Tape tape)
    {
        Tensor sum = LoraLinear.Sum(tape, layer, down, up, config);
        return MultiplyOp.Record(tape, sum, RowGainOp.Record(tape, tape.Use(magnitude), sum).Reshape(Outputs, 1));
    }

    public override Tensor Bias(Tape tape) => layer.Bias(tape);

    public override Tensor Forward(Tape tape, Tensor x, int start, int rows)
    {
        Tensor kept = DropoutOp.Record(tape, x, config.Dropout), weight = Rows(layer.Weight(tape), start, rows);
        Tensor low = LinearOp.Record(tape, kept, tape.Use(down), factor: config.Scale);
        Tensor sum = LinearSumOp.Record(tape, kept, weight, default, low, Rows(tape.Use(up), start, rows));
        Tensor gain = Rows(RowGainOp.Record(tape, tape.Use(magnitude), LoraLinear.Sum(tape, layer, down, up, config)), start, rows);
        Tensor y = MultiplyOp.Record(tape, sum.Reshape(checked((int)sum.Layout.Rows), rows), gain.Reshape(1, rows)).Reshape(sum.Layout.ToShape());
        if (kept.Id != x.Id)
        {
            y = AddOp.Record(tape, y, LinearOp.Record(tape, AddOp.Record(tape, x, ScaleOp.Record(tape, kept, -1)), weight));
        }

        return layer.Bias(tape) is { IsNone: false } bias ? AddOp.Record(tape, y, Broadcast(tape, Rows(bias, start, rows), y)) : y;
    }

    private static Tensor Broadcast(Tape tape, Tensor bias, Tensor y)
    {
        int[] shape = y.Layout.ToShape(), ones = [.. Enumerable.Repeat(1, shape.Length - 1), shape[^1]];
        return BroadcastOp.Record(tape, bias.Reshape(ones), shape);
    }
}

/// <summary>The vectors W[i] + scale · B A[i]; A [V, rank], B [C, rank].</summary>
internal sealed class LoraEmbedding(Embedding layer, Parameter down, Parameter up, LoraConfig config) : Embedding
{
    public override int Tokens => layer.Tokens;

    public override int Width => layer.Width;

    public override Parameter Own => layer.Own;

    public override Tensor Weight(Tape tape) =>
        AddOp.Record(tape, layer.Weight(tape), MatMulOp.Record(tape, tape.Use(down), ScaleOp.Record(tape, tape.Use(up), config.Scale), transposeB: true));

    public override Tensor Forward(Tape tape, Tensor tokens) => AddOp.Record(
        tape, layer.Forward(tape, tokens), LinearOp.Record(tape, EmbeddingOp.Record(tape, tape.Use(down), tokens), tape.Use(up), factor: config.Scale));
}

/// <summary>The same with a pair of matrices for each group of rows.</summary>
internal sealed class LoraGroupedLinear(GroupedLinear layer, Parameter down, Parameter up, LoraConfig config) : GroupedLinear
{
    public override int Groups => layer.Groups;

    public override int Inputs => layer.Inputs;

    public override int Outputs => layer.Outputs;

    public override Tensor Weight(Tape tape) =>
        AddOp.Record(tape, layer.Weight(tape), MatMulOp.Record(tape, tape.Use(up), ScaleOp.Record(tape, tape.Use(down), config.Scale)));

    public override Tensor Forward(Tape tape, Tensor x, Tensor offsets)
    {
        Tensor low = GroupedLinearOp.Record(tape, DropoutOp.Record(tape, x, config.Dropout), tape.Use(down), offsets);
        Tensor added = GroupedLinearOp.Record(tape, ScaleOp.Record(tape, low, config.Scale), tape.Use(up), offsets);
        return AddOp.Record(tape, layer.Forward(tape, x, offsets), added);
    }
}
