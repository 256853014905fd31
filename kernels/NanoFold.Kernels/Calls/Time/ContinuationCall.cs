using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// What calls along time take for <c>continues</c>: 1 where a token goes on from the one before it, 0 where a document, or a row at position 0, begins.
/// </summary>
public readonly record struct ContinuationCall : IKernelCall<ContinuationCall>
{
    public static string Name => "continuation";

    /// <summary>[B, T], contiguous.</summary>
    public required View Y { get; init; }

    /// <summary>Document of each token, Int32 [B, T], contiguous, or none: a row is one document.</summary>
    public View Documents { get; init; }

    /// <summary>Position of each row's first token, Int32 [B], or none for 0.</summary>
    public View Positions { get; init; }

    public KernelCost Cost => new(0, Operands.Bytes(this));

    public void Check()
    {
        Checks.Real(Name, "y", Y);
        Checks.Rank(Name, "y", Y, 2);
        Checks.Writable(Name, "y", Y);
        RowCheck.Vector(Name, "y", Y, Y.Type, Y.Count);
        RowCheck.OptionalVector(Name, "documents", Documents, DType.Int32, Y.Count);
        RowCheck.OptionalVector(Name, "positions", Positions, DType.Int32, Y.Layout[0]);
    }

    public ContinuationCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Y = visitor.Visit("y", Y, Access.Write),
            Documents = visitor.Visit("documents", Documents, Access.Read),
            Positions = visitor.Visit("positions", Positions, Access.Read),
        };
}
