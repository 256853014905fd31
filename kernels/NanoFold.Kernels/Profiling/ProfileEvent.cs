namespace NanoFold.Kernels.Profiling;

/// <summary>What a <see cref="ProfileEvent"/> is, from the outermost to the innermost.</summary>
public enum EventKind
{
    /// <summary>A whole training step.</summary>
    Step,

    /// <summary>A part of the step outside the recorded pass: the batch, zeroing, the update.</summary>
    Part,

    /// <summary>A call of the recorded pass.</summary>
    Op,

    /// <summary>A call of the backend.</summary>
    Kernel,
}

/// <summary>A stretch of time on the thread that drives the backend.</summary>
public struct ProfileEvent
{
    public EventKind Kind;

    /// <summary>Index of the event that this one lies in, −1 for none.</summary>
    public int Parent;

    /// <summary>What ran: a kernel's name, or what the caller named it by.</summary>
    public object Source;

    /// <summary>Of a matrix product; zero for all else.</summary>
    public ProductShape Shape;

    public KernelCost Cost;

    /// <summary>In ticks of <see cref="System.Diagnostics.Stopwatch"/>.</summary>
    public long Started;

    /// <summary>In ticks of <see cref="System.Diagnostics.Stopwatch"/>.</summary>
    public long Ended;
}

/// <summary>Shape of a matrix product y [M, N] = op(a) · op(b) of inner length K, done Batch times.</summary>
public readonly record struct ProductShape(long Batch, int M, int N, int K, bool TransposeA, bool TransposeB)
{
    /// <summary>False where there is no product.</summary>
    public bool IsProduct => Batch > 0;

    /// <summary>As in <c>2048×384×1024 a·bᵀ</c>.</summary>
    public override string ToString()
        => $"{(Batch > 1 ? $"{Batch}× " : "")}{M}×{N}×{K} {(TransposeA ? "aᵀ" : "a")}·{(TransposeB ? "bᵀ" : "b")}";
}
