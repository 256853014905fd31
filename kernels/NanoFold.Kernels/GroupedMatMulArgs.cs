namespace NanoFold.Kernels;

/// <summary>Operands of one matrix product per group of rows, the groups given as data (dropless mixture of experts).</summary>
public readonly ref struct GroupedMatMulArgs
{
    /// <summary>[R, K]: rows sorted by group.</summary>
    public required View A { get; init; }

    /// <summary>[E, K, N] ([E, N, K] with <see cref="TransposeB"/>), or rows [R, N] with <see cref="PerGroupOutput"/>.</summary>
    public required View B { get; init; }

    /// <summary>[R, N], or [E, K, N] with <see cref="PerGroupOutput"/>.</summary>
    public required View Y { get; init; }

    /// <summary>[E + 1] ascending row offsets (Int32), on the device; offsets[E] ≤ R, rows behind it are left alone.</summary>
    public required View Offsets { get; init; }

    public bool TransposeB { get; init; }

    /// <summary>y[e] = a[rows of e]ᵀ · b[rows of e]: the gradient of the weights.</summary>
    public bool PerGroupOutput { get; init; }

    public bool Accumulate { get; init; }
}
