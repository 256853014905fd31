using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// Rotary position embedding: pairs (i, i + D/2) (half-split, Hugging Face) or (2i, 2i + 1) (interleaved, llama2.c) of each head turned by position · θᵢ.
/// </summary>
/// <param name="X">[B, T, H, D], last stride 1.</param>
/// <param name="Y">Same shape; may be x itself.</param>
/// <param name="Table">[positions, D]: D/2 cosines, then D/2 sines of each position.</param>
/// <param name="Positions">Position of each row's first token, Int32 [B], or none for 0.</param>
/// <param name="Interleaved">Which pairs.</param>
/// <param name="Inverse">Turns back: the gradient.</param>
/// <param name="Accumulate">Whether y is added to.</param>
public readonly record struct RopeCall(View X, View Y, View Table, View Positions, bool Interleaved, bool Inverse, bool Accumulate) : IKernelCall<RopeCall>
{
    // Two products and a sum for each element.
    private const int Flops = 3;

    public static string Name => "rope";

    /// <remarks>Of the table only the rows of these positions; a number for each row of x does not count.</remarks>
    public KernelCost Cost => new(
        (double)X.Count * Flops, Operands.Bytes(this with { Table = default, Positions = default }) + ((double)X.Layout[1] * X.Layout[3] * X.Type.Sum().Size()));

    public void Check()
    {
        RowCheck.Rows(Name, "x", X);
        Checks.Rank(Name, "x", X, 4);
        RowCheck.Output(Name, "y", Y, X);
        int batch = X.Layout[0], time = X.Layout[1], headDim = X.Layout[3];
        if (headDim % 2 != 0)
        {
            RowCheck.Fail(Name, "x", X, "an even last dimension");
        }

        RowCheck.Matrix(Name, "table", Table);
        if (Table.Type != X.Type.Sum() || Table.Layout[1] != headDim || (Positions.IsNone && Table.Layout[0] < time))
        {
            RowCheck.Fail(Name, "table", Table, $"{X.Type.Sum()}[positions, {headDim}] with a row for each of {time} positions");
        }

        if (!Positions.IsNone)
        {
            Checks.Integers(Name, "positions", Positions, batch);
        }
    }

    public RopeCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Y = visitor.Visit("y", Y, Operands.Result(Accumulate)),
            Table = visitor.Visit("table", Table, Access.Read),
            Positions = visitor.Visit("positions", Positions, Access.Read),
        };
}
