namespace NanoFold.Kernels;

/// <summary>
/// Operands of y = alpha · op(a) · op(b) (+ bias) (+ residual). The last two dimensions are the matrices (one of their strides is 1),
/// leading dimensions are batches and may be broadcast (stride 0) in a and b.
/// </summary>
public readonly struct MatMulArgs
{
    /// <summary>[.., M, K], or [.., K, M] with <see cref="TransposeA"/>.</summary>
    public required View A { get; init; }

    /// <summary>[.., K, N], or [.., N, K] with <see cref="TransposeB"/>.</summary>
    public required View B { get; init; }

    /// <summary>[.., M, N].</summary>
    public required View Y { get; init; }

    public bool TransposeA { get; init; }

    public bool TransposeB { get; init; }

    public double Alpha { get; init; } = 1;

    /// <summary>Adds to y instead of overwriting it.</summary>
    public bool Accumulate { get; init; }

    /// <summary>
    /// The caller knows that op(a) · op(b) is symmetric (x xᵀ, or a product of powers of one symmetric matrix): a backend may compute half of it
    /// and mirror the rest. Not with <see cref="Accumulate"/>, bias or residual.
    /// </summary>
    public bool IsSymmetric { get; init; }

    /// <summary>How far operands of Float32 may be rounded; with few rows a device may leave them as they are.</summary>
    public OperandRounding Rounding { get; init; }

    /// <summary>With leading dimensions: the sequences of <see cref="Backend.Sequences"/> lie in the rows, and not in the first of these.</summary>
    public bool HasSequencesInRows { get; init; }

    /// <summary>[N], added to every row, or none.</summary>
    public View Bias { get; init; }

    /// <summary>
    /// [M, N], added, or none. The product is rounded to y's type before, so that the bits are those of an addition of its own (and a model gives the same
    /// bits whether or not a tap reads the product).
    /// </summary>
    public View Residual { get; init; }

    public MatMulArgs()
    {
    }
}

/// <summary>Operands of one matrix product per group of rows, the groups given as data (dropless mixture of experts).</summary>
public readonly ref struct GroupedMatMulArgs
{
    /// <summary>[R, K]: rows sorted by group.</summary>
    public required View A { get; init; }

    /// <summary>[E, K, N] ([E, N, K] with <see cref="TransposeB"/>), or rows [R, N] with <see cref="PerGroupOutput"/>.</summary>
    public required View B { get; init; }

    /// <summary>[R, N], or [E, K, N] with <see cref="PerGroupOutput"/>.</summary>
    public required View Y { get; init; }

    /// <summary>[E + 1] ascending row offsets (Int32), on the device; offsets[E] ≤ R, rows after it are left alone.</summary>
    public required View Offsets { get; init; }

    public bool TransposeB { get; init; }

    /// <summary>y[e] = a[rows of e]ᵀ · b[rows of e]: the gradient of the weights.</summary>
    public bool PerGroupOutput { get; init; }

    public bool Accumulate { get; init; }

    /// <inheritdoc cref="MatMulArgs.Rounding"/>
    public OperandRounding Rounding { get; init; }
}
