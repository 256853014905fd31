using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// RMSNorm y = x · rsqrt(mean(x²) + ε) ⊙ g over the last dimension, or with <see cref="ToLength"/> of the sum of squares in place of their mean. Rows may be
/// strided (heads of a projection), the last stride is 1.
/// </summary>
/// <param name="X">[.., D].</param>
/// <param name="Gain">[D] or none.</param>
/// <param name="Y">As x, and may be x.</param>
/// <param name="Statistics">Gets each row's rsqrt, [rows, 1], contiguous.</param>
/// <param name="Epsilon">ε.</param>
public readonly record struct RmsNormCall(View X, View Gain, View Y, View Statistics, double Epsilon) : IKernelCall<RmsNormCall>
{
    /// <summary>Makes rows of length 1, x · rsqrt(Σ x² + ε), where otherwise their mean square is 1.</summary>
    public bool ToLength { get; init; }

    // A square and its sum, the factor, the gain.
    private const int Flops = 4;

    public static string Name => "rms-norm";

    public KernelCost Cost => new((double)X.Count * Flops, Operands.Bytes(this));

    public void Check() => NormChecks.Forward(Name, X, Gain, default, Y, Statistics, statistics: 1);

    public RmsNormCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("gain", Gain, Access.Read), visitor.Visit("y", Y, Access.Write),
            visitor.Visit("statistics", Statistics, Access.Write), Epsilon)
        { ToLength = ToLength };
}

/// <summary>
/// The gradient of <see cref="RmsNormCall"/>: dx = r · (dy ⊙ g − x · r² · mean(dy ⊙ g ⊙ x)), dg += Σ dy ⊙ x · r; with <see cref="ToLength"/> the sum in place
/// of the mean.
/// </summary>
/// <param name="X">[.., D].</param>
/// <param name="Gain">[D] or none.</param>
/// <param name="Statistics">As the forward call left them.</param>
/// <param name="DY">As x.</param>
/// <param name="DX">As x, and may be dy; none where it is not wanted.</param>
/// <param name="AccumulateX">Whether dx is added to.</param>
/// <param name="DGain">[D], added to; none where it is not wanted.</param>
/// <param name="Scratch">For the sums over rows, cut by shape.</param>
public readonly record struct RmsNormBackwardCall(View X, View Gain, View Statistics, View DY, View DX, bool AccumulateX, View DGain, View Scratch)
    : IKernelCall<RmsNormBackwardCall>
{
    /// <summary>As in the forward call.</summary>
    public bool ToLength { get; init; }

    public static string Name => "rms-norm-backward";

    public KernelCost Cost => new(NormChecks.BackwardFlops(X, DX, DGain, default), Operands.Bytes(this));

    public void Check() => NormChecks.Backward(Name, X, Gain, Statistics, DY, DX, DGain, default, statistics: 1);

    public RmsNormBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("gain", Gain, Access.Read), visitor.Visit("statistics", Statistics, Access.Read),
            visitor.Visit("dy", DY, Access.Read), visitor.Visit("dx", DX, Operands.Result(AccumulateX)), AccumulateX,
            visitor.Visit("dGain", DGain, Access.Update), visitor.Visit("scratch", Scratch, Access.Scratch))
        { ToLength = ToLength };
}

/// <summary>LayerNorm y = (x − mean) · rsqrt(var + ε) ⊙ g + b over the last dimension; rows as in <see cref="RmsNormCall"/>.</summary>
/// <param name="X">[.., D].</param>
/// <param name="Gain">[D] or none.</param>
/// <param name="Bias">[D] or none.</param>
/// <param name="Y">As x, and may be x.</param>
/// <param name="Statistics">Gets each row's mean and rsqrt, [rows, 2], contiguous.</param>
/// <param name="Epsilon">ε.</param>
public readonly record struct LayerNormCall(View X, View Gain, View Bias, View Y, View Statistics, double Epsilon) : IKernelCall<LayerNormCall>
{
    // As RMSNorm, and the mean, the difference, the bias.
    private const int Flops = 7;

    public static string Name => "layer-norm";

    public KernelCost Cost => new((double)X.Count * Flops, Operands.Bytes(this));

    public void Check() => NormChecks.Forward(Name, X, Gain, Bias, Y, Statistics, statistics: 2);

    public LayerNormCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("gain", Gain, Access.Read), visitor.Visit("bias", Bias, Access.Read),
            visitor.Visit("y", Y, Access.Write), visitor.Visit("statistics", Statistics, Access.Write), Epsilon);
}

/// <summary>
/// The gradient of <see cref="LayerNormCall"/>. With x̂ = (x − mean) r and h = dy ⊙ g: dx = r · (h − mean(h) − x̂ · mean(h ⊙ x̂)), dg += Σ dy ⊙ x̂, db += Σ dy.
/// </summary>
/// <param name="X">[.., D].</param>
/// <param name="Gain">[D] or none.</param>
/// <param name="Statistics">As the forward call left them.</param>
/// <param name="DY">As x.</param>
/// <param name="DX">As x, and may be dy; none where it is not wanted.</param>
/// <param name="AccumulateX">Whether dx is added to.</param>
/// <param name="DGain">[D], added to; none where it is not wanted.</param>
/// <param name="DBias">[D], added to; none where it is not wanted.</param>
/// <param name="Scratch">For the sums over rows, cut by shape.</param>
public readonly record struct LayerNormBackwardCall(
    View X, View Gain, View Statistics, View DY, View DX, bool AccumulateX, View DGain, View DBias, View Scratch) : IKernelCall<LayerNormBackwardCall>
{
    public static string Name => "layer-norm-backward";

    public KernelCost Cost => new(NormChecks.BackwardFlops(X, DX, DGain, DBias), Operands.Bytes(this));

    public void Check() => NormChecks.Backward(Name, X, Gain, Statistics, DY, DX, DGain, DBias, statistics: 2);

    public LayerNormBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("x", X, Access.Read), visitor.Visit("gain", Gain, Access.Read), visitor.Visit("statistics", Statistics, Access.Read),
            visitor.Visit("dy", DY, Access.Read), visitor.Visit("dx", DX, Operands.Result(AccumulateX)), AccumulateX,
            visitor.Visit("dGain", DGain, Access.Update), visitor.Visit("dBias", DBias, Access.Update), visitor.Visit("scratch", Scratch, Access.Scratch));
}

/// <summary>What the norms have in common. <c>statistics</c> is how many numbers are kept of a row.</summary>
internal static class NormChecks
{
    // Per element, counted in the formulas above.
    private const int BackwardFlopsOfX = 7, FlopsOfGain = 3;

    public static double BackwardFlops(in View x, in View dx, in View dGain, in View dBias)
        => (double)x.Count * ((dx.IsNone ? 0 : BackwardFlopsOfX) + (dGain.IsNone ? 0 : FlopsOfGain) + (dBias.IsNone ? 0 : 1));

    public static void Forward(string op, in View x, in View gain, in View bias, in View y, in View kept, int statistics)
    {
        RowCheck.Rows(op, "x", x);
        RowCheck.Output(op, "y", y, x);
        RowCheck.OptionalVector(op, "gain", gain, x.Type, x.Layout[-1]);
        RowCheck.OptionalVector(op, "bias", bias, x.Type, x.Layout[-1]);
        RowCheck.Vector(op, "statistics", kept, x.Type.Sum(), statistics * x.Layout.Rows);
    }

    public static void Backward(string op, in View x, in View gain, in View kept, in View dy, in View dx, in View dGain, in View dBias, int statistics)
    {
        RowCheck.Rows(op, "x", x);
        RowCheck.Like(op, "dy", dy, x);
        if (!dx.IsNone)
        {
            RowCheck.Output(op, "dx", dx, x);
        }

        RowCheck.OptionalVector(op, "gain", gain, x.Type, x.Layout[-1]);
        RowCheck.OptionalVector(op, "dGain", dGain, x.Type.Sum(), x.Layout[-1]);
        RowCheck.OptionalVector(op, "dBias", dBias, x.Type.Sum(), x.Layout[-1]);
        RowCheck.Vector(op, "statistics", kept, x.Type.Sum(), statistics * x.Layout.Rows);
    }
}
