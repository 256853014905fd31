using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How alike the streams of two checkpoints are at the same tokens, layer by layer: unbiased CKA, shared nearest neighbors and RSA. The array <c>cka</c> has every
/// layer of the first against every one of the second, [L + 1, L′ + 1].
/// </summary>
public sealed record CheckpointSimilarityMeasure : CheckpointMeasure
{
    /// <summary>k, the neighbors of a token.</summary>
    [Bounds(1, 1024)]
    public int K { get; init; } = 10;

    /// <summary>Tokens whose distances are compared for RSA.</summary>
    [Bounds(3, 8192)]
    public int PairTokens { get; init; } = 512;

    /// <inheritdoc/>
    public override string Legend => "CKA, overlap, RSA = of the same layer in both checkpoints";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("cka", "CKA", "0.000"), new("overlap", "overlap", "0.00"), new("rsa", "RSA", "0.000")];

    /// <inheritdoc/>
    public override int Neighbors => K;

    /// <inheritdoc/>
    public override void Take(CheckpointSample first, CheckpointSample second, FigureWriter figures)
    {
        for (int layer = 0; layer < Math.Min(first.Streams.Count, second.Streams.Count); layer++)
        {
            (PointCloud a, PointCloud b) = (first.Streams[layer], second.Streams[layer]);
            FigureWriter place = figures.At(new FigurePlace("checkpoints", b.Point, b.Layer, Other: first.Name));
            CkaEstimate cka = LinearCka.Between(a.NeighborValues, a.Width, b.NeighborValues, b.Width, a.NeighborCount);
            NeighborhoodOverlap overlap = NeighborhoodOverlap.Between(a.Neighbors(K), b.Neighbors(K), K);
            (double? rsa, GeometryStatus status, int points) = RsaMeasure.Between(a, b, PairTokens);
            place.Add("cka", cka.Unbiased, cka.Status, "linear CKA of HSIC₁, centered, position 0 out", cka.Points);
            string shared = $"k={K}, position 0 out, {b.NeighborCount - overlap.Points} duplicates in either dropped";
            place.Add("overlap", overlap.Overlap, overlap.Status, shared, overlap.Points);
            place.Add("overlapByChance", overlap.Chance, overlap.Status, shared, overlap.Points);
            place.Add("rsa", rsa, status, "Spearman of Euclidean distances of all pairs, position 0 out", points);
        }

        if (figures.WantsArrays)
        {
            float[] map =
            [
                .. first.Streams.SelectMany(a => second.Streams.Select(b =>
                    (float)(LinearCka.Between(a.NeighborValues, a.Width, b.NeighborValues, b.Width, a.NeighborCount).Unbiased ?? double.NaN))),
            ];
            figures.Array("cka", [first.Streams.Count, second.Streams.Count], map);
        }
    }
}
