using System.Globalization;
using NanoFold.Engine.Experiments.Coordinates;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Comparisons;

/// <summary>A coordinate check: how far activations move in the first steps, against the width. Flat lines are what a rate found at a small width needs.</summary>
internal static class CoordinateFigure
{
    /// <summary>A figure for each parametrization; none where the folder has no check.</summary>
    public static IEnumerable<Figure> Of(string folder)
        => CoordinateCheck.Find(folder) is not { } check ? [] : check.Parametrizations.Select(parametrization => new Figure(
            $"Coordinate check, {parametrization.Parametrization}",
            [.. parametrization.Points.Select(point => point.Point).Distinct().Select(point => View(check, parametrization, point))])
        {
            IsHalf = true, Height = 370, Caption = Caption(parametrization),
        });

    private static Chart View(CoordinateCheck check, ParametrizationCheck parametrization, string point)
    {
        CoordinatePoint[] own = [.. parametrization.Points.Where(other => other.Point == point)];
        return new Chart(point.Replace("hook_", "", StringComparison.Ordinal), new Axis("width") { IsLogarithmic = true, Marks = [.. check.Widths.Select(width => (double)width)] }, new Axis("mean |x − x of step 0|") { IsLogarithmic = true },
        [
            .. from line in own
               where line.Step > 0 && line.Change > 0
               orderby line.Width
               group line by line.Step into step
               orderby step.Key
               select new Series($"step {step.Key}", [.. step.Select(line => (double?)line.Width)], [.. step.Select(line => (double?)line.Change)])
               {
                   Kind = SeriesKind.LineAndPoints, Color = Color.Between((double)step.Key / check.Steps), Size = 0.9,
               },
        ]);
    }

    private static string Caption(ParametrizationCheck check) => string.Create(CultureInfo.InvariantCulture,
        $"Learning rate {check.LearningRate:0.#####} at every width. After the last step changes grow as a power of the width: {string.Join(", ", check.Slopes.Select(slope => double.IsFinite(slope.OfChange) ? $"{slope.OfChange:0.00} of `{slope.Point}`" : $"`{slope.Point}` has not moved"))}. {char.ToUpperInvariant(check.Words[0])}{check.Words[1..]}");
}
