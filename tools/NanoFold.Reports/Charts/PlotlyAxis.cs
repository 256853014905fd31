using System.Globalization;
using Plotly.NET;
using Plotly.NET.LayoutObjects;

namespace NanoFold.Reports.Charts;

/// <summary>An axis as plotly.js reads it.</summary>
internal static class PlotlyAxis
{
    /// <summary>An axis with its title, marks and range.</summary>
    public static LinearAxis Of(Axis axis)
    {
        LinearAxis made = PlotlyChart.Set(new LinearAxis(), ("title", PlotlyChart.Set(new Title(), ("text", PlotlyChart.Plain(axis.Title)))), ("type", axis.IsLogarithmic ? "log" : "linear"));
        if (axis.Categories is { } names)
        {
            PlotlyChart.Set(made, ("tickmode", "array"), ("tickvals", Enumerable.Range(0, names.Count).ToArray()), ("ticktext", names.Select(PlotlyChart.Plain).ToArray()), ("zeroline", false),
                ("range", axis.IsReversed ? new[] { names.Count - 0.5, -0.5 } : [-0.5, names.Count - 0.5]));
        }
        else if (axis.IsReversed)
        {
            made.SetProperty("autorange", "reversed");
        }

        if (axis.Range is { } ends)
        {
            made.SetProperty("range", axis.IsLogarithmic ? new[] { Math.Log10(ends.Low), Math.Log10(ends.High) } : [ends.Low, ends.High]);
        }

        if (axis.Marks is { } marks)
        {
            double[] places = [.. marks.Distinct().Order()];
            PlotlyChart.Set(made, ("tickmode", "array"), ("tickvals", places), ("ticktext", places.Select(place => place.ToString(Math.Abs(place) is > 0 and < 1e-5 ? "G3" : "0.######", CultureInfo.InvariantCulture)).ToArray()));
        }

        if (axis.Format is { } format)
        {
            PlotlyChart.Set(made, ("tickformat", format), ("hoverformat", format));
        }

        if (axis.HasZero && !axis.IsLogarithmic)
        {
            made.SetProperty("rangemode", "tozero");
        }

        return made;
    }
}
