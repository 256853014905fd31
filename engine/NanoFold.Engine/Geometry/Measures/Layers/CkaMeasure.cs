using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Similarity of two layers' streams: linear centered kernel alignment, unbiased and biased, position 0 left out.</summary>
public sealed record CkaMeasure : PairMeasure
{
    /// <inheritdoc/>
    public override string Legend => "CKA = linear centered kernel alignment, unbiased";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("unbiased", "CKA", "0.000")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 3.0 * shape.Neighbors * width * width;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => 2.0 * sizeof(double) * shape.Neighbors * width;

    /// <inheritdoc/>
    public override void Take(PointCloud first, PointCloud second, FigureWriter figures)
    {
        CkaEstimate cka = LinearCka.Between(first.Values, first.Width, second.Values, second.Width, first.Count);
        figures.Add("unbiased", cka.Unbiased, cka.Status, "linear CKA of HSIC₁, centered, position 0 out", cka.Points);
        figures.Add("biased", cka.Biased, cka.Status, "linear CKA, centered, position 0 out", cka.Points);
    }
}
