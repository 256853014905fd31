using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// The time mixing of RWKV-4 (arXiv 2305.13048), a weighted mean of each channel: y_t = (N + e^(u + k_t) v_t) / (D + e^(u + k_t)) with the bonus u, and then
/// N ← w N + e^(k_t) v_t, D ← w D + e^(k_t), w = e^(−e^decay). N and D start at 0 where a row or a document begins. Their largest exponent is held apart
/// (<see cref="WkvStep"/>), so that keys may have any size. Of the states those before every <see cref="Chunk"/>-th place are kept, from which the backward pass
/// makes the others again.
/// </summary>
public readonly record struct WkvCall : IKernelCall<WkvCall>
{
    /// <summary>Places from one kept state to the next.</summary>
    public const int Chunk = 64;

    /// <summary>Numbers of a channel's state: N, D and their exponent.</summary>
    public const int Numbers = 3;

    public static string Name => "wkv";

    /// <summary>[B, T, C].</summary>
    public required View K { get; init; }

    /// <summary>[B, T, C].</summary>
    public required View V { get; init; }

    /// <summary>ln of the rate at which sums fade, [C] of k's type.</summary>
    public required View Decay { get; init; }

    /// <summary>u, [C] of k's type.</summary>
    public required View Bonus { get; init; }

    /// <summary>[B, T, C]. Places from Counts[b] on become 0.</summary>
    public required View Y { get; init; }

    /// <summary>[B, T] of k's type, contiguous: 0 where a row or a document begins, 1 elsewhere. None: it goes on everywhere but at the first place.</summary>
    public View Continues { get; init; }

    /// <summary>Int32 [B]: only so many places of a row move. None: all.</summary>
    public View Counts { get; init; }

    /// <summary>[B, 3, C] of the type of sums: what was before the first place; replaced by what is after the last place that moves. None: nothing before.</summary>
    public View State { get; init; }

    /// <summary>States before each chunk, [B, chunks, 3, C] of the type of sums, or none.</summary>
    public View Kept { get; init; }

    public KernelCost Cost => new((double)K.Count * ((4.0 * Formula.ExpFlops) + 20), Operands.Bytes(this));

    /// <summary>Chunks of so many places.</summary>
    public static int Chunks(int time) => (time + Chunk - 1) / Chunk;

    public void Check()
    {
        WkvChecks.Operands(Name, K, V, Decay, Bonus, Continues);
        RowCheck.Output(Name, "y", Y, K);
        TimeChecks.Counts(Name, Counts, K);
        RowCheck.OptionalVector(Name, "state", State, K.Type.Sum(), (long)K.Layout[0] * Numbers * K.Layout[2]);
        RowCheck.OptionalVector(Name, "kept", Kept, K.Type.Sum(), WkvChecks.Kept(K));
    }

    public WkvCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            K = visitor.Visit("k", K, Access.Read),
            V = visitor.Visit("v", V, Access.Read),
            Decay = visitor.Visit("decay", Decay, Access.Read),
            Bonus = visitor.Visit("bonus", Bonus, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            State = visitor.Visit("state", State, Access.Update),
            Kept = visitor.Visit("kept", Kept, Access.Write),
        };
}

/// <summary>
/// The gradients of <see cref="WkvCall"/> without a state, from the last place to the first; those of decay and bonus for each row, to be added up by who calls.
/// Any of dk and dv may be none.
/// </summary>
public readonly record struct WkvBackwardCall : IKernelCall<WkvBackwardCall>
{
    public static string Name => "wkv-backward";

    /// <summary>[B, T, C], as in the forward call.</summary>
    public required View K { get; init; }

    /// <summary>[B, T, C], as in the forward call.</summary>
    public required View V { get; init; }

    /// <summary>[C], as in the forward call.</summary>
    public required View Decay { get; init; }

    /// <summary>[C], as in the forward call.</summary>
    public required View Bonus { get; init; }

    /// <summary>[B, chunks, 3, C]: what the forward call kept.</summary>
    public required View Kept { get; init; }

    /// <summary>[B, T, C].</summary>
    public required View DY { get; init; }

    /// <summary>[B, T] or none, as in the forward call.</summary>
    public View Continues { get; init; }

    /// <summary>[B, T, C], or none.</summary>
    public View DK { get; init; }

    /// <summary>Adds to dk.</summary>
    public bool AccumulateK { get; init; }

    /// <summary>[B, T, C], or none.</summary>
    public View DV { get; init; }

    /// <summary>Adds to dv.</summary>
    public bool AccumulateV { get; init; }

    /// <summary>[B, C] of the type of sums.</summary>
    public required View DDecay { get; init; }

    /// <summary>[B, C] of the type of sums.</summary>
    public required View DBonus { get; init; }

    /// <summary>For the states of a chunk, as many bytes as the kernel asks for (<see cref="IKernel{TCall}.ScratchBytes"/>).</summary>
    public View Scratch { get; init; }

    public KernelCost Cost => new((double)K.Count * ((10.0 * Formula.ExpFlops) + 50), Operands.Bytes(this));

    public void Check()
    {
        WkvChecks.Operands(Name, K, V, Decay, Bonus, Continues);
        RowCheck.Vector(Name, "kept", Kept, K.Type.Sum(), WkvChecks.Kept(K));
        RowCheck.Like(Name, "dy", DY, K);
        TimeChecks.OptionalOutput(Name, "dk", DK, K);
        TimeChecks.OptionalOutput(Name, "dv", DV, K);
        RowCheck.Vector(Name, "dDecay", DDecay, K.Type.Sum(), (long)K.Layout[0] * K.Layout[2]);
        RowCheck.Vector(Name, "dBonus", DBonus, K.Type.Sum(), (long)K.Layout[0] * K.Layout[2]);
    }

    public WkvBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            K = visitor.Visit("k", K, Access.Read),
            V = visitor.Visit("v", V, Access.Read),
            Decay = visitor.Visit("decay", Decay, Access.Read),
            Bonus = visitor.Visit("bonus", Bonus, Access.Read),
            Kept = visitor.Visit("kept", Kept, Access.Read),
            DY = visitor.Visit("dy", DY, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            DK = visitor.Visit("dk", DK, Operands.Result(AccumulateK)),
            DV = visitor.Visit("dv", DV, Operands.Result(AccumulateV)),
            DDecay = visitor.Visit("dDecay", DDecay, Access.Write),
            DBonus = visitor.Visit("dBonus", DBonus, Access.Write),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}

/// <summary>What the two directions ask of the operands that they share.</summary>
internal static class WkvChecks
{
    public static void Operands(string op, in View k, in View v, in View decay, in View bonus, in View continues)
    {
        TimeChecks.Sequence(op, "k", k);
        RowCheck.Like(op, "v", v, k);
        RowCheck.Vector(op, "decay", decay, k.Type, k.Layout[2]);
        RowCheck.Vector(op, "bonus", bonus, k.Type, k.Layout[2]);
        TimeChecks.Continues(op, continues, k);
    }

    /// <summary>Elements of the kept states.</summary>
    public static long Kept(in View k) => (long)k.Layout[0] * WkvCall.Chunks(k.Layout[1]) * WkvCall.Numbers * k.Layout[2];
}
