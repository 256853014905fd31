using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Singular values σ of every matrix W [M, N] of the parameters, in a few figures: effective rank exp H(σ/Σσ) (Roy and Vetterli 2007), participation ratio
/// (Σσ²)²/Σσ⁴ and the share σ₁²/Σσ² of the first; not centered. Each figure is at most min(M, N), and the same for W and Wᵀ.
/// </summary>
public sealed record WeightSpectrumMeasure : WeightMeasure
{
    private const string Estimator = "all singular values";

    // Elements of a row that are held in double precision at a time.
    private const int Slab = 1024;

    /// <inheritdoc/>
    public override string Legend => "erank, PR, σ₁² % = effective rank, participation ratio and first share of the squared singular values of a matrix of weights";

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("weightErank", "erank", "0.0"), new("weightParticipationRatio", "PR", "0.0"), new("weightFirstShare", "σ₁² %", "0", 100)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 12 * ((2.0 * width * width * width) + (4.0 / 3 * width * width * width));

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => sizeof(double) * (((double)Slab * width) + (4.0 * width * width));

    /// <inheritdoc/>
    public override void Take(WeightSample weights, FigureWriter figures)
    {
        int least = Math.Min(weights.Rows, weights.Columns);
        SpectrumSummary spectrum = RowGuard.AllFinite(weights.Values)
            ? SpectrumSummary.FromEigenvalues(SymmetricEigenvalues.Of(Gram(weights, least), least), Math.Max(2, weights.Rows))
            : SpectrumSummary.FromEigenvalues([double.NaN], weights.Rows);
        void Add(string name, double? value) => figures.Add(name, value, spectrum.Status, Estimator, least);
        Add("weightErank", spectrum.ErankSv);
        Add("weightParticipationRatio", spectrum.ParticipationRatio);
        Add("weightFirstShare", spectrum.FirstShare);
    }

    // WWᵀ or WᵀW, whichever is smaller: their eigenvalues other than 0 are the same, σ².
    private static double[] Gram(WeightSample w, int least)
    {
        bool byRows = w.Rows <= w.Columns;
        int length = byRows ? w.Columns : w.Rows, padded = GramTile.Pad(least);
        var panels = new double[padded * Slab];
        var product = new double[padded * padded];
        for (int start = 0; start < length; start += Slab)
        {
            int count = Math.Min(Slab, length - start);
            Pack(w, byRows, start, count, least, panels);
            for (int i = 0; i < padded; i += GramTile.Width)
            {
                for (int j = 0; j <= i; j += GramTile.Width)
                {
                    GramTile.Add(
                        panels.AsSpan(i * count, GramTile.Width * count), panels.AsSpan(j * count, GramTile.Width * count), product.AsSpan((i * padded) + j), padded);
                }
            }
        }

        var gram = new double[least * least];
        for (int i = 0; i < least; i++)
        {
            product.AsSpan(i * padded, i + 1).CopyTo(gram.AsSpan(i * least));
        }

        return gram;
    }

    // Panels [count, 8] of the elements start … of each of the least rows or columns.
    private static void Pack(WeightSample w, bool byRows, int start, int count, int least, double[] panels)
    {
        for (int which = 0; which < least; which++)
        {
            (int panel, int lane) = Math.DivRem(which, GramTile.Width);
            Span<double> to = panels.AsSpan((panel * GramTile.Width * count) + lane);
            for (int at = 0; at < count; at++)
            {
                to[at * GramTile.Width] = byRows ? w.Values[(which * w.Columns) + start + at] : w.Values[((start + at) * w.Columns) + which];
            }
        }
    }
}
