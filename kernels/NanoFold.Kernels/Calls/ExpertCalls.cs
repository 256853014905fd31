using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// Mixture-of-experts routing with static shapes: N tokens, k slots each, N·k rows sorted by expert. Slot s = n·k + j.
/// Stable: by expert, then slot. Slots that were dropped have no row, and the last rows, where there are as many, no token. All Int32.
/// </summary>
/// <param name="Indices">Expert of each slot, [N, k]; −1 where it was dropped.</param>
/// <param name="Offsets">Gets where each expert's rows begin, [E + 1].</param>
/// <param name="RowOfSlot">[N, k]; −1 where it was dropped.</param>
/// <param name="TokenOfRow">[R], R ≤ N·k where no more slots can have a row; −1 where the row is no slot's.</param>
public readonly record struct ExpertSortCall(View Indices, View Offsets, View RowOfSlot, View TokenOfRow) : IKernelCall<ExpertSortCall>
{
    public static string Name => "expert-sort";

    public KernelCost Cost => new(0, Operands.Bytes(this));

    public void Check()
    {
        ExpertChecks.Slots(Name, "indices", Indices);
        ExpertChecks.Starts(Name, "offsets", Offsets);
        Checks.Integers(Name, "rowOfSlot", RowOfSlot, Indices.Count);
        ExpertChecks.RowsOf(Name, "tokenOfRow", TokenOfRow.Count, Indices);
        Checks.Integers(Name, "tokenOfRow", TokenOfRow, TokenOfRow.Count);
    }

    public ExpertSortCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("indices", Indices, Access.Read), visitor.Visit("offsets", Offsets, Access.Write),
            visitor.Visit("rowOfSlot", RowOfSlot, Access.Write), visitor.Visit("tokenOfRow", TokenOfRow, Access.Write));
}

/// <summary>y[n] = Σ_j weights[n, j] · rows[rowOfSlot[n, j]] over the slots that have a row.</summary>
/// <param name="Rows">[R, C], R ≤ N·k.</param>
/// <param name="Weights">[N, k], or none: 1.</param>
/// <param name="RowOfSlot">Int32 [N, k]; −1 for none.</param>
/// <param name="Y">[N, C].</param>
/// <param name="Accumulate">Whether y is added to.</param>
public readonly record struct ExpertCombineCall(View Rows, View Weights, View RowOfSlot, View Y, bool Accumulate) : IKernelCall<ExpertCombineCall>
{
    public static string Name => "expert-combine";

    public KernelCost Cost => new((double)Rows.Count * (Weights.IsNone ? 1 : 2), Operands.Bytes(this));

    public void Check()
    {
        ExpertChecks.Rows(Name, Rows, Weights, RowOfSlot, Y, "y");
        Checks.Writable(Name, "y", Y);
    }

    public ExpertCombineCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("rows", Rows, Access.Read), visitor.Visit("weights", Weights, Access.Read), visitor.Visit("rowOfSlot", RowOfSlot, Access.Read),
            visitor.Visit("y", Y, Operands.Result(Accumulate)), Accumulate);
}

/// <summary>
/// dRows[rowOfSlot[n, j]] = weights[n, j] · dy[n] and dWeights[n, j] = ⟨dy[n], rows[rowOfSlot[n, j]]⟩, each where it is not none; dWeights is 0 for a slot without
/// a row, and dRows is left alone for a row without a slot.
/// </summary>
public readonly record struct ExpertCombineBackwardCall(View Rows, View Weights, View RowOfSlot, View DY, View DRows, View DWeights)
    : IKernelCall<ExpertCombineBackwardCall>
{
    public static string Name => "expert-combine-backward";

    /// <remarks>The rows are read for dWeights only.</remarks>
    public KernelCost Cost => new(
        (double)Rows.Count * ((DRows.IsNone ? 0 : 1) + (DWeights.IsNone ? 0 : 2)), Operands.Bytes(DWeights.IsNone ? this with { Rows = default } : this));

    public void Check()
    {
        ExpertChecks.Rows(Name, Rows, Weights, RowOfSlot, DY, "dy");
        if (!DRows.IsNone)
        {
            RowCheck.Output(Name, "dRows", DRows, Rows);
        }

        RowCheck.OptionalVector(Name, "dWeights", DWeights, DY.Type, RowOfSlot.Count);
    }

    public ExpertCombineBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("rows", Rows, Access.Read), visitor.Visit("weights", Weights, Access.Read), visitor.Visit("rowOfSlot", RowOfSlot, Access.Read),
            visitor.Visit("dy", DY, Access.Read), visitor.Visit("dRows", DRows, Access.Write), visitor.Visit("dWeights", DWeights, Access.Write));
}

/// <summary>Weights of the chosen experts: s · p with their scores p, or s · p / (Σ p + 1e-20) where renormalized.</summary>
/// <param name="Probabilities">Probabilities, or other positive scores, [N, E].</param>
/// <param name="Indices">Int32 [N, k].</param>
/// <param name="Weights">[N, k].</param>
/// <param name="Renormalize">Whether a token's weights sum to s.</param>
/// <param name="Scale">s.</param>
public readonly record struct ExpertWeightsCall(View Probabilities, View Indices, View Weights, bool Renormalize, double Scale = 1) : IKernelCall<ExpertWeightsCall>
{
    /// <summary>What is added to the sum: scores of sigmoids may all be 0 (DeepSeek-V3). It is no bit of a sum of probabilities.</summary>
    public const double Least = 1e-20;

    public static string Name => "expert-weights";

    public KernelCost Cost => new((double)Weights.Count * (Renormalize ? 2 : 0), Operands.Bytes(this));

    public void Check() => ExpertChecks.Weights(Name, Probabilities, Indices, Weights);

    public ExpertWeightsCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("probabilities", Probabilities, Access.Read), visitor.Visit("indices", Indices, Access.Read),
            visitor.Visit("weights", Weights, Access.Write), Renormalize, Scale);
}

/// <summary>dProbabilities (overwritten) from dWeights.</summary>
public readonly record struct ExpertWeightsBackwardCall(View Probabilities, View Indices, View Weights, View DWeights, View DProbabilities, bool Renormalize, double Scale = 1)
    : IKernelCall<ExpertWeightsBackwardCall>
{
    public static string Name => "expert-weights-backward";

    public KernelCost Cost => new((double)Weights.Count * (Renormalize ? 4 : 0), Operands.Bytes(this));

    public void Check()
    {
        ExpertChecks.Weights(Name, Probabilities, Indices, Weights);
        RowCheck.Vector(Name, "dWeights", DWeights, Probabilities.Type, Indices.Count);
        RowCheck.Output(Name, "dProbabilities", DProbabilities, Probabilities);
    }

    public ExpertWeightsBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("probabilities", Probabilities, Access.Read), visitor.Visit("indices", Indices, Access.Read),
            visitor.Visit("weights", Weights, Access.Read), visitor.Visit("dWeights", DWeights, Access.Read),
            visitor.Visit("dProbabilities", DProbabilities, Access.Write), Renormalize, Scale);
}

/// <summary>What expert routing asks of its operands; the values of indices are looked at where the host can.</summary>
internal static class ExpertChecks
{
    /// <summary>Experts at most: kernels keep a number for each on the stack.</summary>
    public const int MostExperts = 1 << 14;

    /// <summary>Where something begins for each expert, and where the last one's ends.</summary>
    public static void Starts(string op, string name, in View starts)
    {
        Checks.Inside(op, name, starts);
        Checks.Integers(op, name, starts, starts.Count);
        if (starts.Count is < 2 or > MostExperts + 1)
        {
            RowCheck.Fail(op, name, starts, $"one element more than experts, of which there are 1 to {MostExperts}");
        }
    }

    public static void Weights(string op, in View probabilities, in View indices, in View weights)
    {
        Slots(op, "indices", indices);
        RowCheck.Matrix(op, "probabilities", probabilities);
        RowCheck.Matrix(op, "probabilities", probabilities, probabilities.Type, indices.Layout[0], probabilities.Layout[1]);
        RowCheck.Vector(op, "weights", weights, probabilities.Type, indices.Count);
    }

    public static void Rows(string op, in View rows, in View weights, in View rowOfSlot, in View tokens, string name)
    {
        Slots(op, "rowOfSlot", rowOfSlot);
        RowCheck.Matrix(op, name, tokens);
        int width = tokens.Layout[1];
        RowCheck.Matrix(op, name, tokens, tokens.Type, rowOfSlot.Layout[0], width);
        RowCheck.Matrix(op, "rows", rows);
        RowsOf(op, "rows", rows.Layout[0], rowOfSlot);
        RowCheck.Matrix(op, "rows", rows, tokens.Type, rows.Layout[0], width);
        RowCheck.OptionalVector(op, "weights", weights, tokens.Type, rowOfSlot.Count);
    }

    /// <summary>No more rows than slots.</summary>
    public static void RowsOf(string op, string name, long rows, in View slots)
    {
        if (rows > slots.Count)
        {
            Checks.Throw(op, $"{name} has {rows} rows, expected at most {slots.Count}, one for each slot");
        }
    }

    public static void Slots(string op, string name, in View slots)
    {
        Checks.Inside(op, name, slots);
        Checks.Rank(op, name, slots, 2);
        Checks.Integers(op, name, slots, slots.Count);
    }
}
