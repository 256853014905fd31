using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// A time-invariant state space of each channel: s' = A s + B x with the matrices of HiPPO-LegS (arXiv 2008.07669, held constant as in arXiv 2111.00396),
/// A[n, k] = −√(2n+1) √(2k+1) below the diagonal, −(n+1) on it, 0 above, B[n] = √(2n+1): s_t holds the history of x in Legendre polynomials,
/// x(t − τ) ≈ Σ_n s_t[n] √(2n+1) P_n(2 e^−τ − 1). Time moves by Δ = softplus(delta) a place, by the bilinear rule
/// (1 − Δ/2 A) s_t = (1 + Δ/2 A) c_t s_{t−1} + Δ B x_t, and y_t = Σ_n out[n] s_t[n] + skip x_t. The matrices are diagonal but for a product of two vectors below,
/// so that a place costs N steps and not N². States are kept as by <see cref="SelectiveScanCall"/>.
/// </summary>
public readonly record struct LegendreScanCall : IKernelCall<LegendreScanCall>
{
    public static string Name => "legendre-scan";

    /// <summary>[B, T, C].</summary>
    public required View X { get; init; }

    /// <summary>The step before its softplus, [C].</summary>
    public required View Delta { get; init; }

    /// <summary>[C, N], contiguous.</summary>
    public required View Out { get; init; }

    /// <summary>[C].</summary>
    public required View Skip { get; init; }

    /// <summary>[B, T, C]. Places from Counts[b] on become 0.</summary>
    public required View Y { get; init; }

    /// <summary>[B, T] of x's type, contiguous: 0 where a row or a document begins, 1 elsewhere. None: it goes on everywhere.</summary>
    public View Continues { get; init; }

    /// <summary>Int32 [B]: only so many places of a row move. None: all.</summary>
    public View Counts { get; init; }

    /// <summary>State before the first place, [B, N, C] of the type of sums; replaced by the one after the last place that moves. None: 0 before.</summary>
    public View State { get; init; }

    /// <summary>States before each chunk, [B, chunks, N, C] of the type of sums, or none: what the backward pass begins with.</summary>
    public View Kept { get; init; }

    public View Scratch { get; init; }

    // p and its sum, the state's two products, y; Δ x aside.
    public KernelCost Cost => new((double)X.Count * ((8.0 * Out.Layout[1]) + 4), Operands.Bytes(this));

    public void Check()
    {
        LegendreChecks.Operands(Name, X, Delta, Out, Skip, Continues);
        RowCheck.Output(Name, "y", Y, X);
        TimeChecks.Counts(Name, Counts, X);
        RowCheck.OptionalVector(Name, "state", State, X.Type.Sum(), (long)X.Layout[0] * Out.Layout[1] * X.Layout[2]);
        RowCheck.OptionalVector(Name, "kept", Kept, X.Type.Sum(), SelectiveChecks.Kept(X, Out.Layout[1]));
    }

    public LegendreScanCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Delta = visitor.Visit("delta", Delta, Access.Read),
            Out = visitor.Visit("out", Out, Access.Read),
            Skip = visitor.Visit("skip", Skip, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            State = visitor.Visit("state", State, Access.Update),
            Kept = visitor.Visit("kept", Kept, Access.Write),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}

/// <summary>
/// The gradients of <see cref="LegendreScanCall"/> without a state. From the last place to the first, with g the gradient of s_t: w = (1 − Δ/2 A)⁻ᵀ g,
/// dx_t = Δ B·w + skip dy_t, dΔ = ½ w·(A (s_t + c_t s_{t−1}) + 2 B x_t) summed over places and rows, and (1 + Δ/2 A)ᵀ w goes to the place before. Any result may be none.
/// </summary>
public readonly record struct LegendreScanBackwardCall : IKernelCall<LegendreScanBackwardCall>
{
    public static string Name => "legendre-scan-backward";

    public required View X { get; init; }

    public required View Delta { get; init; }

    public required View Out { get; init; }

    public required View Skip { get; init; }

    /// <summary>What the forward call kept.</summary>
    public required View Kept { get; init; }

    /// <summary>[B, T, C].</summary>
    public required View DY { get; init; }

    public View Continues { get; init; }

    /// <summary>[B, T, C].</summary>
    public View DX { get; init; }

    public bool AccumulateX { get; init; }

    /// <summary>[C] of the type of sums; added to.</summary>
    public View DDelta { get; init; }

    /// <summary>[C, N] of the type of sums, contiguous; added to.</summary>
    public View DOut { get; init; }

    /// <summary>[C] of the type of sums; added to.</summary>
    public View DSkip { get; init; }

    public View Scratch { get; init; }

    public KernelCost Cost => new((double)X.Count * ((27.0 * Out.Layout[1]) + 8), Operands.Bytes(this));

    public void Check()
    {
        LegendreChecks.Operands(Name, X, Delta, Out, Skip, Continues);
        RowCheck.Vector(Name, "kept", Kept, X.Type.Sum(), SelectiveChecks.Kept(X, Out.Layout[1]));
        RowCheck.Like(Name, "dy", DY, X);
        TimeChecks.OptionalOutput(Name, "dx", DX, X);
        RowCheck.OptionalVector(Name, "dDelta", DDelta, X.Type.Sum(), X.Layout[2]);
        RowCheck.OptionalVector(Name, "dOut", DOut, X.Type.Sum(), Out.Count);
        RowCheck.OptionalVector(Name, "dSkip", DSkip, X.Type.Sum(), X.Layout[2]);
    }

    public LegendreScanBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Delta = visitor.Visit("delta", Delta, Access.Read),
            Out = visitor.Visit("out", Out, Access.Read),
            Skip = visitor.Visit("skip", Skip, Access.Read),
            Kept = visitor.Visit("kept", Kept, Access.Read),
            DY = visitor.Visit("dy", DY, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            DX = visitor.Visit("dx", DX, Operands.Result(AccumulateX)),
            DDelta = visitor.Visit("dDelta", DDelta, Access.Update),
            DOut = visitor.Visit("dOut", DOut, Access.Update),
            DSkip = visitor.Visit("dSkip", DSkip, Access.Update),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}

/// <summary>What the two directions ask of the operands that they share.</summary>
internal static class LegendreChecks
{
    public static void Operands(string op, in View x, in View delta, in View output, in View skip, in View continues)
    {
        TimeChecks.Sequence(op, "x", x);
        RowCheck.Vector(op, "delta", delta, x.Type, x.Layout[2]);
        TimeChecks.Taps(op, "out", output, x, x.Type);
        RowCheck.Vector(op, "skip", skip, x.Type, x.Layout[2]);
        TimeChecks.Continues(op, continues, x);
    }
}

/// <summary>The bilinear step, one number n of the state after the other.</summary>
internal static class LegendreStep
{
    /// <summary>The number after a place: (s (1 − δ (n + 1)) + δ √(2n+1) (2 x − p)) / (1 + δ (n + 1)).</summary>
    /// <param name="state">s.</param>
    /// <param name="half">δ, half a step.</param>
    /// <param name="twice">2 x.</param>
    /// <param name="root">√(2n + 1).</param>
    /// <param name="order">n + 1.</param>
    /// <param name="sum">p, the sum of √(2k + 1) (s + s') over the numbers before; it grows.</param>
    public static V Next<V>(V state, V half, V twice, V root, V order, ref V sum)
        where V : struct, ILane<V>
    {
        V rate = half * order, one = V.Constant(1);
        V next = V.MultiplyAdd(half * root, twice - sum, state * (one - rate)) / (one + rate);
        sum = V.MultiplyAdd(root, state + next, sum);
        return next;
    }
}
