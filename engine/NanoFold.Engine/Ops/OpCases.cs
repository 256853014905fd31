using System.Reflection;
using NanoFold.Kernels.Calls.Time;

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
        .. ScaleOp.Cases(),
        .. BroadcastOp.Cases(),
        .. NormalizedOp.Cases(),
        .. OfActivations("Cases"),
        .. RmsNormOp.Cases(),
        .. LayerNormOp.Cases(),
        .. RopeOp.Cases(),
        .. SoftmaxOp.Cases(),
        .. AttentionCases.Attention(),
        .. AttentionCases.TopK(),
        .. AttentionCases.PatternRows(),
        .. CrossEntropyOp.Cases(),
        .. LinearCrossEntropyOp.Cases(),
        .. TopKOp.Cases(),
        .. KeepListedOp.Cases(),
        .. IndexLossOp.Cases(),
        .. DetachOp.Cases(),
        .. MaximumOp.Cases(),
        .. CumulativeSumOp.Cases(),
        .. TakeAlongOp.Cases(),
        .. PlaceAlongOp.Cases(),
        .. IntegerMapOp.Cases(),
        .. IntegerRangeOp.Cases(),
        .. IntegerConversionOp.Cases(),
        .. ExpertChoiceOp.Cases(),
        .. ExpertCapacityOp.Cases(),
        .. ExpertSortOp.Cases(),
        .. ExpertGatherOp.Cases(),
        .. ExpertWeightsOp.Cases(),
        .. ExpertCombineOp.Cases(),
        .. RouterLossOp.Cases(),
        .. MixStreamsOp.Cases(),
        .. StreamGatesOp.Cases(),
        .. DepthAttentionOp.Cases(),
        .. ScanOp.Cases(),
        .. SelectiveScanOp.Cases(),
        .. ConvolutionOp.Cases(),
        .. ContinuationOp.Cases(),
        .. RecurrentHeadsCase.All,
        .. RecurrentOp<Rnn>.Cases(RecurrentReference.Rnn),
        .. RecurrentOp<Gru>.Cases(RecurrentReference.Gru),
        .. RecurrentOp<Lstm>.Cases(RecurrentReference.Lstm),
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
        .. ScaleOp.SpeedCases(shape),
        .. BroadcastOp.SpeedCases(shape),
        .. NormalizedOp.SpeedCases(shape),
        .. OfActivations("SpeedCases", shape),
        .. RmsNormOp.SpeedCases(shape),
        .. LayerNormOp.SpeedCases(shape),
        .. RopeOp.SpeedCases(shape),
        .. SoftmaxOp.SpeedCases(shape),
        .. AttentionCases.AttentionAt(shape),
        .. AttentionCases.TopKAt(shape),
        .. AttentionCases.PatternRowsAt(shape),
        .. CrossEntropyOp.SpeedCases(shape),
        .. LinearCrossEntropyOp.SpeedCases(shape),
        .. TopKOp.SpeedCases(shape),
        .. KeepListedOp.SpeedCases(shape),
        .. DetachOp.SpeedCases(shape),
        .. MaximumOp.SpeedCases(shape),
        .. CumulativeSumOp.SpeedCases(shape),
        .. TakeAlongOp.SpeedCases(shape),
        .. PlaceAlongOp.SpeedCases(shape),
        .. IntegerMapOp.SpeedCases(shape),
        .. IntegerRangeOp.SpeedCases(shape),
        .. IntegerConversionOp.SpeedCases(shape),
        .. ExpertChoiceOp.SpeedCases(shape),
        .. ExpertGatherOp.SpeedCases(shape),
        .. ExpertWeightsOp.SpeedCases(shape),
        .. ExpertCombineOp.SpeedCases(shape),
        .. RouterLossOp.SpeedCases(shape),
        .. MixStreamsOp.SpeedCases(shape),
        .. StreamGatesOp.SpeedCases(shape),
        .. DepthAttentionOp.SpeedCases(shape),
        .. ScanOp.SpeedCases(shape),
        .. SelectiveScanOp.SpeedCases(shape),
        .. ConvolutionOp.SpeedCases(shape),
        .. ContinuationOp.SpeedCases(shape),
        .. RecurrentHeadsCase.At(shape),
        .. RecurrentOp<Rnn>.SpeedCases(shape, RecurrentReference.Rnn),
        .. RecurrentOp<Gru>.SpeedCases(shape, RecurrentReference.Gru),
        .. RecurrentOp<Lstm>.SpeedCases(shape, RecurrentReference.Lstm),
    ];

    // Of every activation, wherever it is declared, alone and with a gate.
    private static IEnumerable<OpCase> OfActivations(string method, params object[] arguments) =>
        from activation in typeof(IActivation).Assembly.GetTypes().OrderBy(type => type.Name, StringComparer.Ordinal)
        where activation.IsValueType && typeof(IActivation).IsAssignableFrom(activation)
        from op in new[] { typeof(ActivationOp<>), typeof(GatedActivationOp<>) }
        from found in (IEnumerable<OpCase>)op.MakeGenericType(activation).GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!.Invoke(null, arguments)!
        select found;
}
