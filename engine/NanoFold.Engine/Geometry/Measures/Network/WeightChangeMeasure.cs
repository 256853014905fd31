using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// The spectrum of the change ΔW = W₂ − W₁ of every matrix of weights between two checkpoints or two runs: size, largest singular value, ranks, and k₉₀, the number of
/// singular values that hold 90 % of Σσ², beside that of a Gaussian matrix of the same shape.
/// </summary>
public sealed record WeightChangeMeasure : CheckpointMeasure
{
    private const string Estimator = "all singular values of W₂ − W₁, not centered";

    /// <inheritdoc/>
    public override string Legend => "‖ΔW‖/‖W‖, ΔW erank, k₉₀ = of the change of a matrix of weights; Gauss: k₉₀ of a Gaussian matrix of its shape";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("relativeChange", "‖ΔW‖/‖W‖", "0.000"), new("changeErank", "ΔW erank", "0.0"), new("changeK90", "k₉₀", "0"), new("gaussianK90", "Gauss", "0")];

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => MatrixSpectrum.Bytes(width);

    /// <inheritdoc/>
    public override void Take(CheckpointSample first, CheckpointSample second, FigureWriter figures)
    {
        ParameterStore before = first.Network.Model.Store, now = second.Network.Model.Store;
        foreach (Parameter parameter in now.Parameters.Where(p => p.Layout.Rank > 1))
        {
            FigureWriter at = figures.At(new FigurePlace("checkpoints", parameter.Name, WeightSample.LayerOf(parameter), Other: first.Name));
            if (before.Find(parameter.Name) is Parameter old && old.Layout.SameShape(parameter.Layout))
            {
                Compare(WeightSample.Of(before, old), WeightSample.Of(now, parameter), at);
            }
            else
            {
                at.Add("relativeChange", null, GeometryStatus.Degenerate, $"{first.Name} has no such matrix", 0);
            }
        }
    }

    private static void Compare(WeightSample first, WeightSample second, FigureWriter figures)
    {
        int least = Math.Min(second.Rows, second.Columns);
        double changed = 0, all = 0;
        var change = new float[first.Values.Length];
        for (int i = 0; i < change.Length; i++)
        {
            change[i] = second.Values[i] - first.Values[i];
            changed += (double)change[i] * change[i];
            all += (double)first.Values[i] * first.Values[i];
        }

        GeometryStatus status = !double.IsFinite(changed + all) ? GeometryStatus.NotFinite : GeometryStatus.Ok;
        figures.Add("relativeChange", Math.Sqrt(changed / all), status, "‖W₂ − W₁‖/‖W₁‖", change.Length);
        if (status != GeometryStatus.Ok)
        {
            return;
        }

        double[] squares = MatrixSpectrum.Squares(change, second.Rows, second.Columns);
        SpectrumSummary spectrum = SpectrumSummary.FromEigenvalues(squares, Math.Max(2, second.Rows));
        void Add(string name, double? value) => figures.Add(name, value, spectrum.Status, Estimator, least);
        Add("changeLargest", Math.Sqrt(squares[0]));
        Add("changeErank", spectrum.ErankSv);
        Add("changeParticipationRatio", spectrum.ParticipationRatio);
        Add("changeStableRank", spectrum.StableRank);
        Add("changeK90", MatrixSpectrum.CountFor(squares, 0.9));
        figures.Add(
            "gaussianK90", Math.Ceiling(least * RandomSpectra.CountShare((double)least / Math.Max(second.Rows, second.Columns), 0.9)), spectrum.Status,
            "Marchenko–Pastur density of the shape", least);
        figures.Array("singularValues", [least], Array.ConvertAll(squares, Math.Sqrt).AsSpan());
    }
}
