using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// The selective state space of Mamba (S6, arXiv 2312.00752): of each channel a state of N numbers with decays of their own,
/// s_t[n] = exp(Δ_t A[n]) c_t s_{t−1}[n] + Δ_t x_t in_t[n] and y_t = Σ_n out_t[n] s_t[n] + skip · x_t, where Δ = softplus(delta), A = −exp(logDecay) and
/// c = <see cref="Continues"/>. States are carried in the type of sums and never held for all of time: <see cref="Kept"/> has those before every
/// <see cref="Chunk"/>-th place, from which the backward pass computes the others again.
/// </summary>
public readonly record struct SelectiveScanCall : IKernelCall<SelectiveScanCall>
{
    /// <summary>Places from one kept state to the next.</summary>
    public const int Chunk = 64;

    public static string Name => "selective-scan";

    /// <summary>[B, T, C].</summary>
    public required View X { get; init; }

    /// <summary>The step before its softplus, [B, T, C].</summary>
    public required View Delta { get; init; }

    /// <summary>[C, N], contiguous.</summary>
    public required View LogDecay { get; init; }

    /// <summary>[B, T, N].</summary>
    public required View In { get; init; }

    /// <summary>[B, T, N].</summary>
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

    /// <summary>States before each chunk, [B, ⌈T / Chunk⌉, N, C] of the type of sums, or none: what the backward pass begins with.</summary>
    public View Kept { get; init; }

    public KernelCost Cost => new(
        (double)X.Count * ((LogDecay.Layout[1] * SelectiveFlops.ForwardState) + SelectiveFlops.ForwardPlace), Operands.Bytes(this));

    /// <summary>Chunks of so many places.</summary>
    public static int Chunks(int time) => (time + Chunk - 1) / Chunk;

    public void Check()
    {
        SelectiveChecks.Operands(Name, X, Delta, LogDecay, In, Out, Skip, Continues);
        RowCheck.Output(Name, "y", Y, X);
        TimeChecks.Counts(Name, Counts, X);
        int states = LogDecay.Layout[1];
        RowCheck.OptionalVector(Name, "state", State, X.Type.Sum(), (long)X.Layout[0] * states * X.Layout[2]);
        RowCheck.OptionalVector(Name, "kept", Kept, X.Type.Sum(), SelectiveChecks.Kept(X, states));
    }

    public SelectiveScanCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Delta = visitor.Visit("delta", Delta, Access.Read),
            LogDecay = visitor.Visit("logDecay", LogDecay, Access.Read),
            In = visitor.Visit("in", In, Access.Read),
            Out = visitor.Visit("out", Out, Access.Read),
            Skip = visitor.Visit("skip", Skip, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            State = visitor.Visit("state", State, Access.Update),
            Kept = visitor.Visit("kept", Kept, Access.Write),
        };
}

/// <summary>
/// The gradients of <see cref="SelectiveScanCall"/> without a state. From the last place to the first, with g_t[n] the gradient of s_t[n]:
/// g_t = out_t dy_t + c_{t+1} exp(Δ_{t+1} A) g_{t+1}, dOut_t = Σ_c dy_t s_t, dIn_t = Σ_c g_t Δ_t x_t, dx_t = Δ_t Σ_n g_t in_t + skip dy_t,
/// dΔ_t = x_t Σ_n g_t in_t + Σ_n A q_t and dA = Σ Δ_t q_t with q_t = g_t exp(Δ_t A) c_t s_{t−1}. Any result may be none.
/// </summary>
public readonly record struct SelectiveScanBackwardCall : IKernelCall<SelectiveScanBackwardCall>
{
    public static string Name => "selective-scan-backward";

    public required View X { get; init; }

    public required View Delta { get; init; }

    public required View LogDecay { get; init; }

    public required View In { get; init; }

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

    /// <summary>[B, T, C].</summary>
    public View DDelta { get; init; }

    public bool AccumulateDelta { get; init; }

    /// <summary>[B, T, N].</summary>
    public View DIn { get; init; }

    public bool AccumulateIn { get; init; }

    /// <summary>[B, T, N].</summary>
    public View DOut { get; init; }

    public bool AccumulateOut { get; init; }

    /// <summary>[C, N] of the type of sums, contiguous; added to.</summary>
    public View DLogDecay { get; init; }

    /// <summary>[C] of the type of sums; added to.</summary>
    public View DSkip { get; init; }

    /// <summary>For sums over channels and rows.</summary>
    public View Scratch { get; init; }

    public KernelCost Cost => new(
        (double)X.Count * ((LogDecay.Layout[1] * SelectiveFlops.BackwardState) + SelectiveFlops.BackwardPlace), Operands.Bytes(this));

    public void Check()
    {
        SelectiveChecks.Operands(Name, X, Delta, LogDecay, In, Out, Skip, Continues);
        RowCheck.Vector(Name, "kept", Kept, X.Type.Sum(), SelectiveChecks.Kept(X, LogDecay.Layout[1]));
        RowCheck.Like(Name, "dy", DY, X);
        TimeChecks.OptionalOutput(Name, "dx", DX, X);
        TimeChecks.OptionalOutput(Name, "dDelta", DDelta, X);
        TimeChecks.OptionalOutput(Name, "dIn", DIn, In);
        TimeChecks.OptionalOutput(Name, "dOut", DOut, Out);
        RowCheck.OptionalVector(Name, "dLogDecay", DLogDecay, X.Type.Sum(), LogDecay.Count);
        RowCheck.OptionalVector(Name, "dSkip", DSkip, X.Type.Sum(), X.Layout[2]);
    }

    public SelectiveScanBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Delta = visitor.Visit("delta", Delta, Access.Read),
            LogDecay = visitor.Visit("logDecay", LogDecay, Access.Read),
            In = visitor.Visit("in", In, Access.Read),
            Out = visitor.Visit("out", Out, Access.Read),
            Skip = visitor.Visit("skip", Skip, Access.Read),
            Kept = visitor.Visit("kept", Kept, Access.Read),
            DY = visitor.Visit("dy", DY, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            DX = visitor.Visit("dx", DX, Operands.Result(AccumulateX)),
            DDelta = visitor.Visit("dDelta", DDelta, Operands.Result(AccumulateDelta)),
            DIn = visitor.Visit("dIn", DIn, Operands.Result(AccumulateIn)),
            DOut = visitor.Visit("dOut", DOut, Operands.Result(AccumulateOut)),
            DLogDecay = visitor.Visit("dLogDecay", DLogDecay, Access.Update),
            DSkip = visitor.Visit("dSkip", DSkip, Access.Update),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}

/// <summary>What the two directions ask of the operands that they share.</summary>
internal static class SelectiveChecks
{
    public static void Operands(string op, in View x, in View delta, in View logDecay, in View input, in View output, in View skip, in View continues)
    {
        TimeChecks.Sequence(op, "x", x);
        RowCheck.Like(op, "delta", delta, x);
        TimeChecks.Taps(op, "logDecay", logDecay, x, x.Type);
        TimeChecks.Sequence(op, "in", input);
        Checks.Like(op, "in", input, x);
        if (input.Layout[0] != x.Layout[0] || input.Layout[1] != x.Layout[1] || input.Layout[2] != logDecay.Layout[1])
        {
            RowCheck.Fail(op, "in", input, $"[{x.Layout[0]}, {x.Layout[1]}, {logDecay.Layout[1]}]");
        }

        RowCheck.Like(op, "out", output, input);
        RowCheck.Vector(op, "skip", skip, x.Type, x.Layout[2]);
        TimeChecks.Continues(op, continues, x);
    }

    /// <summary>Elements of the kept states.</summary>
    public static long Kept(in View x, int states) => (long)x.Layout[0] * SelectiveScanCall.Chunks(x.Layout[1]) * states * x.Layout[2];
}

/// <summary>FLOPs for each number of the state, and besides for each channel of a place.</summary>
internal static class SelectiveFlops
{
    private static readonly int s_softplus = CountingLane.Count(static () => LaneFormulas.Softplus<CountingLane>(default));

    /// <summary>Δ A and its exponential, Δ x in, the state, out s.</summary>
    public static int ForwardState { get; } = 6 + Formula.ExpFlops;

    /// <summary>Softplus, Δ x, skip x.</summary>
    public static int ForwardPlace { get; } = s_softplus + 3;

    /// <summary>The state again; g, dOut, dIn, Σ g in, q and its two sums, what goes on.</summary>
    public static int BackwardState { get; } = 4 + Formula.ExpFlops + 14;

    /// <summary>Softplus and its derivative, Δ x, dx, dΔ, dSkip.</summary>
    public static int BackwardPlace { get; } = s_softplus + CountingLane.Count(static () => LaneFormulas.Sigmoid<CountingLane>(default)) + 10;
}
