using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// A depthwise causal convolution along time: y[t, c] = bias[c] + Σ_k weight[c, k] · x[t − K + 1 + k, c], the last column of the weight for the own place.
/// It reaches over no beginning of a row or a document; before the first place lies <see cref="State"/>, or 0.
/// </summary>
public readonly record struct ConvolutionCall : IKernelCall<ConvolutionCall>
{
    public static string Name => "convolution";

    /// <summary>[B, T, C].</summary>
    public required View X { get; init; }

    /// <summary>[C, K], contiguous.</summary>
    public required View Weight { get; init; }

    /// <summary>[B, T, C]. Places from Counts[b] on become 0.</summary>
    public required View Y { get; init; }

    /// <summary>[C], or none.</summary>
    public View Bias { get; init; }

    /// <summary>[B, T] of x's type, contiguous: 0 where a row or a document begins, 1 elsewhere. None: it goes on everywhere.</summary>
    public View Continues { get; init; }

    /// <summary>
    /// The K − 1 inputs before the first place, the oldest first, [B, K − 1, C] of x's type, contiguous; replaced by the last ones, which are 0 before the last
    /// beginning. None: 0 before the first place.
    /// </summary>
    public View State { get; init; }

    /// <summary>Int32 [B]: only so many places of a row move. None: all.</summary>
    public View Counts { get; init; }

    public KernelCost Cost => new(2.0 * X.Count * Weight.Layout[1], Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "x", X);
        TimeChecks.Taps(Name, "weight", Weight, X, X.Type);
        RowCheck.OptionalVector(Name, "bias", Bias, X.Type, X.Layout[2]);
        RowCheck.Output(Name, "y", Y, X);
        TimeChecks.Continues(Name, Continues, X);
        TimeChecks.Counts(Name, Counts, X);
        RowCheck.OptionalVector(Name, "state", State, X.Type, (long)X.Layout[0] * (Weight.Layout[1] - 1) * X.Layout[2]);
    }

    public ConvolutionCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Weight = visitor.Visit("weight", Weight, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
            Bias = visitor.Visit("bias", Bias, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            State = visitor.Visit("state", State, Access.Update),
            Counts = visitor.Visit("counts", Counts, Access.Read),
        };
}

/// <summary>
/// The gradients of <see cref="ConvolutionCall"/> without a state: dx[t, c] = Σ_k weight[c, k] · dy[t + K − 1 − k, c], dWeight[c, k] += Σ dy[t, c] · x[t − K + 1 + k, c],
/// dBias[c] += Σ dy[t, c], over no beginning. Any result may be none.
/// </summary>
public readonly record struct ConvolutionBackwardCall : IKernelCall<ConvolutionBackwardCall>
{
    public static string Name => "convolution-backward";

    public required View X { get; init; }

    public required View Weight { get; init; }

    /// <summary>[B, T, C].</summary>
    public required View DY { get; init; }

    public View Continues { get; init; }

    /// <summary>[B, T, C].</summary>
    public View DX { get; init; }

    public bool AccumulateX { get; init; }

    /// <summary>[C, K] of the type of sums, contiguous; added to.</summary>
    public View DWeight { get; init; }

    /// <summary>[C] of the type of sums; added to.</summary>
    public View DBias { get; init; }

    /// <summary>For the sums over rows and time.</summary>
    public View Scratch { get; init; }

    public KernelCost Cost => new(
        X.Count * ((DX.IsNone ? 0.0 : 2.0 * Weight.Layout[1]) + (DWeight.IsNone ? 0.0 : 2.0 * Weight.Layout[1]) + (DBias.IsNone ? 0.0 : 1.0)), Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "x", X);
        TimeChecks.Taps(Name, "weight", Weight, X, X.Type);
        RowCheck.Like(Name, "dy", DY, X);
        TimeChecks.Continues(Name, Continues, X);
        TimeChecks.OptionalOutput(Name, "dx", DX, X);
        if (!DWeight.IsNone)
        {
            TimeChecks.Taps(Name, "dWeight", DWeight, X, X.Type.Sum());
            Checks.Writable(Name, "dWeight", DWeight);
        }

        RowCheck.OptionalVector(Name, "dBias", DBias, X.Type.Sum(), X.Layout[2]);
    }

    public ConvolutionBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Weight = visitor.Visit("weight", Weight, Access.Read),
            DY = visitor.Visit("dy", DY, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            DX = visitor.Visit("dx", DX, Operands.Result(AccumulateX)),
            DWeight = visitor.Visit("dWeight", DWeight, Access.Update),
            DBias = visitor.Visit("dBias", DBias, Access.Update),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}
