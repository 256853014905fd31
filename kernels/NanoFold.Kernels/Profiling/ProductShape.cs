namespace NanoFold.Kernels.Profiling;

/// <summary>Shape of a matrix product y [M, N] = op(a) · op(b) of inner length K, done Batch times.</summary>
public readonly record struct ProductShape(long Batch, int M, int N, int K, bool TransposeA, bool TransposeB)
{
    /// <summary>False where there is no product.</summary>
    public bool IsProduct => Batch > 0;

    /// <summary>As in <c>2048×384×1024 a·bᵀ</c>.</summary>
    public override string ToString()
        => $"{(Batch > 1 ? $"{Batch}× " : "")}{M}×{N}×{K} {(TransposeA ? "aᵀ" : "a")}·{(TransposeB ? "bᵀ" : "b")}";
}
