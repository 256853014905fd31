using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Similarity of two layers' streams: linear centered kernel alignment, unbiased and biased, position 0 left out.</summary>
public sealed record CkaMeasure : PairMeasure
{
    /// <summary>Tokens of a mini-batch, over which the sums run before they are divided; 0 for all tokens at once, otherwise at least 4.</summary>
    [Bounds(0, 1 << 24)]
    public int Batch { get; init; }

    /// <inheritdoc/>
    public override string Legend => "CKA = linear centered kernel alignment, unbiased";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("unbiased", "CKA", "0.000")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 3.0 * shape.Neighbors * width * width;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => 2.0 * sizeof(double) * shape.Neighbors * width;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path) =>
        Batch is > 0 and < LinearCka.LeastRows ? [new ConfigProblem($"{path}.batch", $"{Batch} tokens are too few: the unbiased form needs {LinearCka.LeastRows}")] : [];

    /// <inheritdoc/>
    public override void Take(PointCloud first, PointCloud second, FigureWriter figures)
    {
        var sums = new LinearCka();
        int size = Batch == 0 ? first.Count : Math.Min(Batch, first.Count);
        for (int at = 0; at == 0 || at + size <= first.Count; at += size)
        {
            sums.Add(first.Values.Slice(at * first.Width, size * first.Width), first.Width, second.Values.Slice(at * second.Width, size * second.Width), second.Width, size);
        }

        CkaEstimate cka = sums.Estimate();
        string batches = Batch == 0 ? "" : $", {cka.Batches} batches";
        figures.Add("unbiased", cka.Unbiased, cka.Status, "linear CKA of HSIC₁, centered, position 0 out" + batches, cka.Points);
        figures.Add("biased", cka.Biased, cka.Status, "linear CKA, centered, position 0 out" + batches, cka.Points);
    }
}
