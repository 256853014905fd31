namespace NanoFold.Engine.Geometry;

/// <summary>Similarity of two representations of the same rows. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record CkaEstimate
{
    /// <summary>TooFewPoints without a batch, ZeroVariance when one side is constant.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows over all batches.</summary>
    public required long Points { get; init; }

    /// <summary>Batches that the sums run over; fewer rows a batch make the biased form worse, the unbiased only noisier.</summary>
    public required int Batches { get; init; }

    /// <summary>About 0 for independent representations; can fall slightly below.</summary>
    public double? Unbiased { get; init; }

    /// <summary>The common form. For independent Gaussians about √(DxDy/((N + Dx)(N + Dy))), not 0.</summary>
    public double? Biased { get; init; }
}
