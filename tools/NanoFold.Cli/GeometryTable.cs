using NanoFold.Engine.Geometry;

namespace NanoFold.Cli;

/// <summary>The residual stream layer by layer, as a table.</summary>
internal static class GeometryTable
{
    public static void Write(Output output, IReadOnlyList<LayerGeometry> layers, GeometryConfig config)
    {
        (string Head, Func<LayerGeometry, double?> Value, string Format)[] columns =
        [
            ("norm", l => l.Residual.All.MeanNorm, "0.0"),
            ("mixer Δ", l => l.Mixer.All.Share, "0.00"),
            ("ff Δ", l => l.FeedForward.All.Share, "0.00"),
            ("cosine", l => l.Residual.WithoutFirst.MeanCosine, "0.00"),
            ("PR", l => l.Spectrum.ParticipationRatio, "0.0"),
            ("erank", l => l.Spectrum.ErankEig, "0.0"),
            ("λ₁ %", l => l.Spectrum.FirstShare * 100, "0"),
            ("TwoNN", l => l.Dimension?.Measured.Dimension, "0.0"),
            ("≈ Gauss", l => l.Dimension?.GaussianDimension, "0"),
            ("entropy", l => l.Attention?.All.EntropyShare, "0.00"),
            ("sink", l => l.Attention?.All.FirstMass, "0.00"),
            ("gate", l => l.Gate?.Mean, "0.00"),
            ("load H", l => l.ExpertEntropy, "0.00"),
        ];
        // A column that no layer has a figure for would only take room.
        columns = [.. columns.Where(c => layers.Any(l => c.Value(l) is not null))];
        output.Text.WriteLine();
        output.Table(
            numbers: true,
            [
                ["layer", .. columns.Select(c => c.Head)],
                .. layers.Select(l => (string[])[$"{l.Layer}", .. columns.Select(c => c.Value(l) is { } value ? Display.Number(value, c.Format) : "–")]),
            ]);
        output.Text.WriteLine($"residual stream after each block, {layers[0].Spectrum.Points} probe tokens, centred, position 0 left out of cosine, PR, erank, λ₁ and TwoNN; TwoNN on {layers[0].Dimension?.Measured.Points ?? 0} of them; Δ = ‖update‖ / ‖stream‖; ≈ Gauss = dimension of a Gaussian that TwoNN would measure the same");
        output.Text.WriteLine();
    }
}
