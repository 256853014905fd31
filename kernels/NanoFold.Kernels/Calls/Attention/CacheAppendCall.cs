using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>Decoding: the rows of new tokens are written to a cache, each to the slot of its position; rows after a batch row's count are passed over.</summary>
/// <param name="X">[B, T, G, D].</param>
/// <param name="Cache">[B, S, G, D], contiguous.</param>
/// <param name="Positions">Position of each row's first token, Int32 [B].</param>
/// <param name="Counts">Tokens of each row, Int32 [B].</param>
public readonly record struct CacheAppendCall(View X, View Cache, View Positions, View Counts) : IKernelCall<CacheAppendCall>
{
    public static string Name => "cache-append";

    public KernelCost Cost => new(0, (2 * KernelCost.BytesOf(X)) + KernelCost.BytesOf(Positions) + KernelCost.BytesOf(Counts));

    public void Check()
    {
        AttentionChecks.Rank4(Name, "x", X);
        AttentionChecks.Rank4(Name, "cache", Cache);
        Checks.Real(Name, "x", X);
        AttentionChecks.Shape(Name, "x", X, X.Type, [X.Layout[0], X.Layout[1], X.Layout[2], X.Layout[3]]);
        AttentionChecks.Shape(Name, "cache", Cache, X.Type, [X.Layout[0], Cache.Layout[1], X.Layout[2], X.Layout[3]]);
        AttentionChecks.Contiguous(Name, "cache", Cache);
        Checks.Integers(Name, "positions", Positions, X.Layout[0]);
        Checks.Integers(Name, "counts", Counts, X.Layout[0]);
    }

    public CacheAppendCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Cache = visitor.Visit("cache", Cache, Access.Update),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
        };
}
