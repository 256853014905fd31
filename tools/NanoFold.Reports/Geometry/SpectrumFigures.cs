using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Geometry;

/// <summary>Eigenvalues of the covariance of every layer, a picture a checkpoint.</summary>
internal static class SpectrumFigures
{
    private const int MostFrames = 10, MostValues = 48;

    public static IEnumerable<IReportItem> Of(RunGeometry geometry)
    {
        StoredArray[] spectra = [.. geometry.Arrays("spectrum", ["eigenvalues"], steps => DepthFigure.Chosen(steps, MostFrames)).Where(array => array.Layer is not null)];
        if (spectra.Length == 0)
        {
            yield break;
        }

        int deepest = Math.Max(1, spectra.Max(array => array.Layer!.Value));
        double largest = spectra.Max(array => array.Values.Max()), smallest = spectra.Min(array => array.Values.Where(value => value > 0).DefaultIfEmpty(largest).Min());
        var x = new Axis("direction, from 1") { IsLogarithmic = true };
        var y = new Axis("variance") { IsLogarithmic = true, Range = (Math.Max(smallest, largest * 1e-9) / 1.5, largest * 1.5) };
        var frames = spectra.GroupBy(array => array.Step).OrderBy(step => step.Key)
            .Select(step => (Display.Count(step.Key), (IChart)new Chart("", x, y, [.. step.OrderBy(array => array.Layer).Select(array => Line(array, deepest))]))).ToArray();
        yield return new Figure("Spectrum of the residual stream", new Frames("by layer", "step", frames) { Start = frames.Length - 1 })
        {
            Height = 430, Measures = ["spectrum"],
            Caption = "One line a layer. A straight line is a power law; a cliff is where the cloud ends in most directions. Move the slider to see it form.",
        };
    }

    // As many on either end of a decade, so that a logarithmic axis loses nothing.
    private static Series Line(StoredArray array, int deepest)
    {
        double[] values = [.. array.Values.OrderDescending()];
        int[] places = [.. Enumerable.Range(0, MostValues).Select(i => (int)Math.Round(Math.Pow(values.Length, (double)i / (MostValues - 1)))).Distinct().Where(place => values[place - 1] > 0)];
        return new Series($"layer {array.Layer}", [.. places.Select(place => (double?)place)], [.. places.Select(place => DepthFigure.Rounded(values[place - 1]))])
        {
            Color = Color.Between((double)array.Layer!.Value / deepest), Size = 0.85,
        };
    }
}
