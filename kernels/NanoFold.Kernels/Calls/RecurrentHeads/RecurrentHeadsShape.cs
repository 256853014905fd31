namespace NanoFold.Kernels.Calls.RecurrentHeads;

/// <summary>How the state of a recurrent head fades from one place to the next.</summary>
public enum HeadDecay
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>By one factor for each head, [H].</summary>
    Constant,

    /// <summary>By one factor for each place and head, [B, T, H].</summary>
    Scalar,

    /// <summary>By one factor for each place, head and element of the key, [B, T, H, DK].</summary>
    Vector,
}

/// <summary>Checked sizes of recurrent heads and the work of their chunked form.</summary>
public readonly struct RecurrentHeadsShape
{
    /// <summary>
    /// Places of a chunk: inside of one, places meet in products of C × C pairs, between chunks the state is carried. What a call costs is counted with this length.
    /// </summary>
    public const int Chunk = 64;

    internal RecurrentHeadsShape(string op, in RecurrentHeadsArgs args)
    {
        RowCheck.Rows(op, "q", args.Q);
        Checks.Rank(op, "q", args.Q, 4);
        RowCheck.Like(op, "k", args.K, args.Q);
        RowCheck.Rows(op, "v", args.V);
        Checks.Rank(op, "v", args.V, 4);
        Checks.Like(op, "v", args.V, args.Q);
        Batch = args.Q.Layout[0];
        Time = args.Q.Layout[1];
        Groups = args.Q.Layout[2];
        KeyWidth = args.Q.Layout[3];
        Heads = args.V.Layout[2];
        ValueWidth = args.V.Layout[3];
        HasBeta = !args.Beta.IsNone;
        if (args.V.Layout[0] != Batch || args.V.Layout[1] != Time || Heads % Groups != 0)
        {
            RowCheck.Fail(op, "v", args.V, $"[{Batch}, {Time}, H, DV] with H a multiple of {Groups}");
        }

        Decay = Kind(op, args);
        if (HasBeta)
        {
            Checks.LikeOrSum(op, "beta", args.Beta, args.Q);
            if (!args.Beta.Layout.SameShape(Layout.Of(Batch, Time, Heads)) || !HasRows(args.Beta))
            {
                RowCheck.Fail(op, "beta", args.Beta, $"[{Batch}, {Time}, {Heads}], rows of stride 1");
            }
        }

        if (!args.Continues.IsNone)
        {
            RowCheck.Vector(op, "continues", args.Continues, args.Q.Type, (long)Batch * Time);
        }

        State(op, "initial", args.Initial, args.Q);
    }

    public int Batch { get; }

    public int Time { get; }

    /// <summary>Heads of q and k; each serves <see cref="Heads"/> / Groups heads of v.</summary>
    public int Groups { get; }

    public int Heads { get; }

    public int KeyWidth { get; }

    public int ValueWidth { get; }

    public HeadDecay Decay { get; }

    /// <summary>Whether the delta rule is used.</summary>
    public bool HasBeta { get; }

    public int Chunks => (Time + Chunk - 1) / Chunk;

    /// <summary>A state [B, H, DK, DV], contiguous, of the type of q or of its sums; or none.</summary>
    internal void State(string op, string name, in View state, in View q)
    {
        if (!state.IsNone)
        {
            Checks.LikeOrSum(op, name, state, q);
            RowCheck.Vector(op, name, state, state.Type, (long)Batch * Heads * KeyWidth * ValueWidth);
        }
    }

    /// <summary>Products of the forward pass: scores of the pairs s ≤ t of a chunk, their sums of values, what the state gives and what it gains.</summary>
    /// <param name="comes">Whether a state comes to the first chunk.</param>
    /// <param name="goes">Whether the state after the last chunk is wanted.</param>
    internal double ForwardFlops(bool comes, bool goes) => Flops(
        comes, goes,
        pairs: KeyWidth + ValueWidth, strict: HasBeta ? KeyWidth + ValueWidth : 0, reads: HasBeta ? 2 : 1, writes: 1);

    /// <summary>
    /// Products of the backward pass: scores once more, dv, the gradients of scores, of q and of k inside the chunk; dq, dk and dv through the state.
    /// </summary>
    internal double BackwardFlops(bool comes, bool goes) => Flops(
        comes, goes,
        pairs: 3 * KeyWidth + 2 * ValueWidth, strict: HasBeta ? 3 * KeyWidth + 2 * ValueWidth : 0, reads: HasBeta ? 4 : 2, writes: 2);

    // 2 FLOPs for each multiplication: of pairs s ≤ t and s < t of each chunk, of places that read a state and that write one.
    private double Flops(bool comes, bool goes, double pairs, double strict, int reads, int writes)
    {
        double products = 0, state = (double)KeyWidth * ValueWidth;
        for (int first = 0; first < Time; first += Chunk)
        {
            double n = Math.Min(Chunk, Time - first);
            products += (n * (n + 1) / 2 * pairs) + (n * (n - 1) / 2 * strict);
            products += (first > 0 || comes ? reads * n * state : 0) + (first + Chunk < Time || goes ? writes * n * state : 0);
        }

        return 2 * products * Batch * Heads;
    }

    private HeadDecay Kind(string op, in RecurrentHeadsArgs args)
    {
        if (args.Decay.IsNone)
        {
            return HeadDecay.None;
        }

        HeadDecay kind = args.Decay.Layout.Rank switch { 1 => HeadDecay.Constant, 3 => HeadDecay.Scalar, _ => HeadDecay.Vector };
        Checks.LikeOrSum(op, "decay", args.Decay, args.Q);
        bool fits = kind switch
        {
            HeadDecay.Constant => args.Decay.Layout.SameShape(Layout.Of(Heads)),
            HeadDecay.Scalar => args.Decay.Layout.SameShape(Layout.Of(Batch, Time, Heads)),
            _ => args.Decay.Layout.SameShape(Layout.Of(Batch, Time, Heads, KeyWidth)),
        };
        if (!fits || !HasRows(args.Decay))
        {
            RowCheck.Fail(op, "decay", args.Decay, $"[{Heads}], [{Batch}, {Time}, {Heads}] or [{Batch}, {Time}, {Heads}, {KeyWidth}], rows of stride 1");
        }

        return kind;
    }

    private static bool HasRows(in View x) => x.Layout[-1] == 1 || x.Layout.Stride(-1) == 1;
}
