namespace NanoFold.Engine.Ops;

/// <summary>Every case of every op: one line an op.</summary>
public static class OpCases
{
    public static IEnumerable<OpCase> All =>
    [
        .. LinearOp.Cases(),
        .. MatMulOp.Cases(),
        .. GroupedLinearOp.Cases(),
        .. EmbeddingOp.Cases(),
        .. AddOp.Cases(),
        .. MultiplyOp.Cases(),
        .. BroadcastOp.Cases(),
        .. ActivationOp<Sigmoid>.Cases(SigmoidReference),
        .. ActivationOp<Silu>.Cases(SiluReference),
        .. ActivationOp<Gelu>.Cases(GeluReference),
        .. ActivationOp<Relu>.Cases(ReluReference),
        .. ActivationOp<SquaredRelu>.Cases(SquaredReluReference),
        .. GatedActivationOp<Silu>.Cases(SiluReference),
        .. GatedActivationOp<Gelu>.Cases(GeluReference),
        .. RmsNormOp.Cases(),
        .. LayerNormOp.Cases(),
        .. RopeOp.Cases(),
        .. SoftmaxOp.Cases(),
        .. AttentionOp.Cases(),
        .. TopKAttentionOp.Cases(),
        .. PatternRowsOp.Cases(),
        .. CrossEntropyOp.Cases(),
        .. LinearCrossEntropyOp.Cases(),
        .. TopKOp.Cases(),
        .. KeepLargestOp.Cases(),
        .. ExpertWeightsOp.Cases(),
        .. ExpertCombineOp.Cases(),
        .. RouterLossOp.Cases(),
        .. ScanOp.Cases(),
        .. ConvolutionOp.Cases(),
    ];

    /// <summary>Cases of every op at the shapes of a model's block, where speed is of interest; too large for the tests to run all of them.</summary>
    public static IEnumerable<OpCase> At(BlockShape shape) =>
    [
        .. LinearOp.SpeedCases(shape),
        .. MatMulOp.SpeedCases(shape),
        .. GroupedLinearOp.SpeedCases(shape),
        .. EmbeddingOp.SpeedCases(shape),
        .. AddOp.SpeedCases(shape),
        .. MultiplyOp.SpeedCases(shape),
        .. BroadcastOp.SpeedCases(shape),
        .. ActivationOp<Sigmoid>.SpeedCases(shape, SigmoidReference),
        .. ActivationOp<Silu>.SpeedCases(shape, SiluReference),
        .. ActivationOp<Gelu>.SpeedCases(shape, GeluReference),
        .. ActivationOp<Relu>.SpeedCases(shape, ReluReference),
        .. ActivationOp<SquaredRelu>.SpeedCases(shape, SquaredReluReference),
        .. GatedActivationOp<Silu>.SpeedCases(shape, SiluReference),
        .. GatedActivationOp<Gelu>.SpeedCases(shape, GeluReference),
        .. RmsNormOp.SpeedCases(shape),
        .. LayerNormOp.SpeedCases(shape),
        .. RopeOp.SpeedCases(shape),
        .. SoftmaxOp.SpeedCases(shape),
        .. AttentionOp.SpeedCases(shape),
        .. TopKAttentionOp.SpeedCases(shape),
        .. PatternRowsOp.SpeedCases(shape),
        .. CrossEntropyOp.SpeedCases(shape),
        .. LinearCrossEntropyOp.SpeedCases(shape),
        .. TopKOp.SpeedCases(shape),
        .. KeepLargestOp.SpeedCases(shape),
        .. ExpertWeightsOp.SpeedCases(shape),
        .. ExpertCombineOp.SpeedCases(shape),
        .. RouterLossOp.SpeedCases(shape),
        .. ScanOp.SpeedCases(shape),
        .. ConvolutionOp.SpeedCases(shape),
    ];

    private static double SigmoidReference(double x) => 1 / (1 + Math.Exp(-x));

    private static double ReluReference(double x) => Math.Max(x, 0);

    private static double SquaredReluReference(double x) => x > 0 ? x * x : 0;

    private static double SiluReference(double x) => x / (1 + Math.Exp(-x));

    private static double GeluReference(double x) =>
        0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
}
