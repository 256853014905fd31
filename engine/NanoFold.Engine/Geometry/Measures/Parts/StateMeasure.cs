using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// The states of recurrent mixers: the effective rank of what they hold (of matrices after the last token of a window, of vectors over tokens), how long it lasts by the
/// decays, and the way of the state, or of what is read of it, through one common PCA basis.
/// </summary>
public sealed record StateMeasure : MixerMeasure
{
    private const string Vector = "attn.hook_state", Matrix = "attn.hook_final_state", Decay = "attn.hook_decay", Step = "attn.hook_delta_pre", Scan = "attn.hook_scan", Mean = "attn.hook_wkv", Read = "attn.hook_z";

    private const int Axes = 3;

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override string Legend => "state rank = effective rank of recurrent states; lasts = median tokens until a state has faded to 1/e, by the decays; state bend = mean angle of its successive steps";

    /// <inheritdoc/>
    public override string Subject => "recurrent states";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("stateRank", "state rank", "0.0"), new("timescale", "lasts", "0.0"), new("trajectoryDegrees", "state bend °", "0")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Want> Points =>
    [
        new(Vector), new(Matrix, SampleKind.Whole), new(Decay), new(Step), new(Vector, SampleKind.Windows), new(Scan, SampleKind.Windows), new(Mean, SampleKind.Windows), new(Read, SampleKind.Windows),
    ];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)width * width * (shape.Points + 800);

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => StreamingMoments.Bytes(2 * width, 2);

    /// <inheritdoc/>
    public override void Take(MixerSample mixer, FigureWriter figures)
    {
        if (mixer.Whole(Matrix) is { Shape.Length: > 2 } matrices)
        {
            WriteRanks(matrices.Values, matrices.Shape, figures);
        }
        else if (mixer.Cloud(Vector) is { } states)
        {
            SpectrumSummary spectrum = states.Moments().Summarize();
            const string Estimator = "of the covariance over tokens, position 0 out";
            figures.Add("stateRank", spectrum.ErankSv, spectrum.Status, "exp H(σ/Σσ) " + Estimator, spectrum.Points);
            figures.Add("stateDimension", spectrum.ParticipationRatio, spectrum.Status, "participation ratio " + Estimator, spectrum.Points);
            figures.Add("stateRankMost", states.Width, GeometryStatus.Ok, "elements of the state", spectrum.Points);
        }

        WriteTimescales(mixer, figures);
        // Of matrices there is no point for every token: what is read of them stands for them.
        PointCloud? way = mixer.Cloud(Vector, SampleKind.Windows) ?? mixer.Cloud(Scan, SampleKind.Windows) ?? mixer.Cloud(Mean, SampleKind.Windows) ?? (mixer.Whole(Matrix) is null ? null : mixer.Cloud(Read, SampleKind.Windows));
        if (way is not null)
        {
            WriteWay(way, figures);
        }
    }

    // [B, H, K, V], or [B, N, C].
    private static void WriteRanks(float[] values, int[] shape, FigureWriter figures)
    {
        int rows = shape[^2], columns = shape[^1], size = rows * columns;
        Mean ranks = default, ratios = default;
        bool isFinite = RowGuard.AllFinite(values);
        for (int at = 0; at < values.Length && isFinite; at += size)
        {
            SpectrumSummary spectrum = SpectrumSummary.FromEigenvalues(MatrixSpectrum.Squares(values.AsSpan(at, size), rows, columns), Math.Max(2, rows));
            ranks.Add(spectrum.ErankSv);
            ratios.Add(spectrum.ParticipationRatio);
        }

        // A state of zeros has no rank.
        GeometryStatus status = !isFinite ? GeometryStatus.NotFinite : ranks.Count > 0 ? GeometryStatus.Ok : GeometryStatus.ZeroVariance;
        const string Estimator = "of the state after a window's last token, mean over windows and heads";
        figures.Add("stateRank", ranks.Value, status, "exp H(σ/Σσ) " + Estimator, ranks.Count, ranks.Error);
        figures.Add("stateDimension", ratios.Value, status, "participation ratio of σ² " + Estimator, ratios.Count, ratios.Error);
        figures.Add("stateRankMost", Math.Min(rows, columns), GeometryStatus.Ok, "the smaller side of a state", ranks.Count);
    }

    // Logarithms of decays a token, the steps of time that they follow from, or parameters.
    private static void WriteTimescales(MixerSample mixer, FigureWriter figures)
    {
        double[] lasts = [];
        if (mixer.Cloud(Decay) is { } decays)
        {
            lasts = [.. decays.Values.ToArray().Select(log => -1.0 / log)];
        }
        else if (mixer.Cloud(Step) is { } steps && mixer.Weights("A_log") is { } rates && rates.Rows == steps.Width)
        {
            // Channel c, number n: exp(−softplus(step_c) e^(A_log_cn)). Of a channel's numbers the slowest: what the channel still knows.
            double[] speeds = [.. rates.Values.Chunk(rates.Columns).Select(logs => Math.Exp(logs.Min()))];
            lasts = [.. steps.Values.ToArray().Select((step, i) => 1 / (Softplus(step) * speeds[i % speeds.Length]))];
        }

        else if (mixer.Cloud(Mean, SampleKind.Windows) is not null && mixer.Weights("decay") is { } weights)
        {
            // e^(−e^decay) of each channel, the same for every token.
            lasts = [.. weights.Values.Select(decay => Math.Exp(-decay))];
        }

        lasts = [.. lasts.Where(value => !double.IsNaN(value) && value >= 0)];
        if (lasts.Length > 0)
        {
            const string Estimator = "−1/ln decay in tokens, over tokens and elements that fade";
            figures.Add("timescale", Timescale.Quantile(lasts, 0.5), GeometryStatus.Ok, Estimator + ", median", lasts.Length);
            figures.Add("timescaleShort", Timescale.Quantile(lasts, 0.1), GeometryStatus.Ok, Estimator + ", 10 % are below", lasts.Length);
            figures.Add("timescaleLong", Timescale.Quantile(lasts, 0.9), GeometryStatus.Ok, Estimator + ", 90 % are below", lasts.Length);
        }
    }

    private static double Softplus(double x) => x > 20 ? x : Math.Log(1 + Math.Exp(x));

    private static void WriteWay(PointCloud way, FigureWriter figures)
    {
        int length = way.Rows.RunLength;
        Curvature curvature = Curvature.Measure(way.Values, length, way.Width);
        PrincipalAxes axes = PrincipalAxes.Of(way.Values, way.Count, Axes);
        string point = way.Point[(way.Point.LastIndexOf('.') + 1)..];
        figures.Add("trajectoryDegrees", curvature.Degrees, curvature.Status, $"mean angle of successive steps of {point}", curvature.Angles);
        for (int k = 0; k < Math.Min(Axes, way.Width); k++)
        {
            figures.Add($"trajectoryShare.{k + 1}", axes.Status == GeometryStatus.Ok ? axes.Shares[k] : null, axes.Status, $"variance of {point} along axis {k + 1}, centered", way.Count);
        }

        if (figures.WantsArrays && axes.Status == GeometryStatus.Ok)
        {
            figures.Array("trajectory", [way.Count / length, length, axes.Shares.Count], axes.Coordinates(way.Values));
        }
    }
}
