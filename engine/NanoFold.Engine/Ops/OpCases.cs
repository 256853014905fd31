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
        .. ActivationOp<Sigmoid>.Cases(x => 1 / (1 + Math.Exp(-x))),
        .. ActivationOp<Silu>.Cases(SiluReference),
        .. ActivationOp<Gelu>.Cases(GeluReference),
        .. ActivationOp<Relu>.Cases(x => Math.Max(x, 0)),
        .. ActivationOp<SquaredRelu>.Cases(x => x > 0 ? x * x : 0),
        .. GatedActivationOp<Silu>.Cases(SiluReference),
        .. GatedActivationOp<Gelu>.Cases(GeluReference),
        .. RmsNormOp.Cases(),
        .. LayerNormOp.Cases(),
        .. RopeOp.Cases(),
        .. SoftmaxOp.Cases(),
        .. AttentionOp.Cases(),
        .. TopKAttentionOp.Cases(),
        .. CrossEntropyOp.Cases(),
        .. LinearCrossEntropyOp.Cases(),
        .. TopKOp.Cases(),
        .. KeepLargestOp.Cases(),
        .. ExpertWeightsOp.Cases(),
        .. ExpertCombineOp.Cases(),
        .. RouterLossOp.Cases(),
    ];

    private static double SiluReference(double x) => x / (1 + Math.Exp(-x));

    private static double GeluReference(double x) =>
        0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
}
