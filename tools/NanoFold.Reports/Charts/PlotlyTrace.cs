using System.Globalization;
using Plotly.NET;
using Plotly.NET.LayoutObjects;
using Plotly.NET.TraceObjects;

namespace NanoFold.Reports.Charts;

/// <summary>Series and maps as plotly.js draws them.</summary>
internal static class PlotlyTrace
{
    private static readonly string[] s_dashes = ["solid", "dash", "dot", "dashdot", "longdash"];
    private static readonly string[] s_places = ["top center", "bottom center", "middle left", "middle right", "top left", "bottom left"];
    private static readonly string[] s_symbols = ["circle", "square", "diamond", "triangle-up", "x"];

    /// <summary>A series in space.</summary>
    public static Trace InSpace(Series series)
    {
        var trace = new Trace3D("scatter3d");
        trace.SetProperty("name", PlotlyChart.Plain(series.Name));
        trace.SetProperty("legendgroup", series.Group ?? series.Name);
        trace.SetProperty("x", Numbers(series.X));
        trace.SetProperty("y", Numbers(series.Y));
        trace.SetProperty("z", Numbers(series.Z!));
        trace.SetProperty("mode", series.Kind == SeriesKind.Points ? "markers" : series.Kind == SeriesKind.Line ? "lines" : "lines+markers");
        trace.SetProperty("line", PlotlyChart.Set(new Line(), ("color", series.Color.Token), ("width", 2)));
        trace.SetProperty("marker", PlotlyChart.Set(new Marker(), ("color", series.Color.Token), ("size", Math.Round(3 * series.Size, 1)), ("symbol", "circle")));
        trace.SetProperty("showlegend", series.IsInLegend);
        if (series.Labels is { } labels)
        {
            trace.SetProperty("text", labels.Select(PlotlyChart.Plain).ToArray());
            trace.SetProperty("hovertemplate", "%{text}<extra>%{fullData.name}</extra>");
        }

        return trace;
    }

    /// <summary>A series in the plane, after the edges of its band.</summary>
    public static IEnumerable<Trace> Of(Series series)
    {
        bool isLine = series.Kind is SeriesKind.Line or SeriesKind.LineAndPoints;
        if (isLine && series.Intervals is { } band)
        {
            yield return Edge(series, [.. band.Select(interval => interval?.High)], fills: false);
            yield return Edge(series, [.. band.Select(interval => interval?.Low)], fills: true);
        }

        Trace trace = Scatter(series, series.Y);
        trace.SetProperty("mode", (series.Kind, series.ShowsLabels) switch
        {
            (SeriesKind.Line or SeriesKind.Reference, false) => "lines",
            (SeriesKind.Line or SeriesKind.Reference, true) => "lines+text",
            (SeriesKind.LineAndPoints, false) => "lines+markers",
            (SeriesKind.LineAndPoints, true) => "lines+markers+text",
            (_, true) => "markers+text",
            _ => "markers",
        });
        trace.SetProperty("line", LineOf(series));
        trace.SetProperty("marker", MarkerOf(series));
        if (series.Intervals is { } intervals)
        {
            if (isLine)
            {
                // The band shows them; the data has them.
                trace.SetProperty("meta", PlotlyChart.Set(new DynamicObj.DynamicObj(), ("low", Numbers([.. intervals.Select(i => i?.Low)])), ("high", Numbers([.. intervals.Select(i => i?.High)]))));
            }
            else
            {
                trace.SetProperty(series.Spread == Spread.Y ? "error_y" : "error_x", Bars(series, intervals));
            }
        }

        if (series.Labels is { } labels)
        {
            trace.SetProperty("text", labels.Select(PlotlyChart.Plain).ToArray());
            trace.SetProperty("textposition", s_places[(int)series.LabelPlace]);
            trace.SetProperty("hovertemplate", "%{text}<br>%{xaxis.title.text}: %{x}<br>%{yaxis.title.text}: %{y}<extra>%{fullData.name}</extra>");
        }

        if (series.ShowsLabels)
        {
            // Text at an edge is not cut off.
            trace.SetProperty("cliponaxis", false);
        }

        trace.SetProperty("showlegend", series.IsInLegend);
        if (series.IsHidden)
        {
            trace.SetProperty("visible", "legendonly");
        }

        yield return trace;
    }

    private static Trace Scatter(Series series, IReadOnlyList<double?> y)
    {
        var trace = new Trace2D("scatter");
        trace.SetProperty("name", PlotlyChart.Plain(series.Name));
        trace.SetProperty("legendgroup", series.Group ?? series.Name);
        trace.SetProperty("x", Numbers(series.X));
        trace.SetProperty("y", Numbers(y));
        return trace;
    }

    // One side of a band.
    private static Trace Edge(Series series, IReadOnlyList<double?> y, bool fills)
    {
        Trace trace = Scatter(series, y);
        trace.SetProperty("mode", "lines");
        trace.SetProperty("line", PlotlyChart.Set(new Line(), ("width", 0), ("color", series.Color.Token)));
        trace.SetProperty("hoverinfo", "skip");
        trace.SetProperty("showlegend", false);
        if (fills)
        {
            trace.SetProperty("fill", "tonexty");
            trace.SetProperty("fillcolor", series.Color.Token + "/0.16");
        }

        return trace;
    }

    private static Line LineOf(Series series) => PlotlyChart.Set(new Line(),
        ("color", series.Color.Token),
        ("width", series.Kind == SeriesKind.Reference ? 1.3 : Math.Round(1.8 * series.Size, 2)),
        ("dash", series.Kind == SeriesKind.Reference ? "dash" : s_dashes[series.Style % s_dashes.Length]));

    private static Marker MarkerOf(Series series)
    {
        bool isMean = series.Kind == SeriesKind.Means;
        Marker marker = PlotlyChart.Set(new Marker(),
            ("color", series.Color.Token + (isMean ? "/0.25" : series.Kind == SeriesKind.Points ? "/0.75" : "")),
            ("size", Math.Round((isMean ? 11 : series.Kind == SeriesKind.LineAndPoints ? 6 : 7.5) * series.Size, 1)),
            // Apart from the dashes, so that 25 styles differ.
            ("symbol", s_symbols[(series.Style + (series.Style / s_dashes.Length)) % s_symbols.Length]));
        return isMean ? PlotlyChart.Set(marker, ("line", PlotlyChart.Set(new Line(), ("color", series.Color.Token), ("width", 2)))) : marker;
    }

    private static Error Bars(Series series, IReadOnlyList<(double Low, double High)?> intervals)
    {
        IReadOnlyList<double?> values = series.Spread == Spread.Y ? series.Y : series.X;
        return PlotlyChart.Set(new Error(),
            ("type", "data"), ("symmetric", false), ("color", series.Color.Token), ("thickness", 1.6), ("width", 4),
            ("array", Numbers([.. intervals.Select((i, at) => i?.High - values[at])])),
            ("arrayminus", Numbers([.. intervals.Select((i, at) => values[at] - i?.Low)])));
    }

    /// <summary>A map.</summary>
    public static Trace2D Of(HeatMap map)
    {
        Trace2D trace = PlotlyChart.Set(new Trace2D("heatmap"),
            ("z", map.Cells.Select(Numbers).ToArray()),
            ("colorscale", "@scale"),
            ("colorbar", PlotlyChart.Set(new ColorBar(), ("title", PlotlyChart.Set(new Title(), ("text", PlotlyChart.Plain(map.Meaning)), ("side", "right"))), ("thickness", 12), ("outlinewidth", 0))),
            ("hoverongaps", false),
            ("xgap", 1), ("ygap", 1),
            ("hovertemplate", "%{xaxis.title.text} %{x}<br>%{yaxis.title.text} %{y}<br>" + PlotlyChart.Plain(map.Meaning).Replace("%{", "%&#123;", StringComparison.Ordinal) + ": %{z}<extra></extra>"));
        if (map.Range is { } range)
        {
            PlotlyChart.Set(trace, ("zmin", range.Low), ("zmax", range.High));
        }

        if (map.Written is { } format)
        {
            // As text, for plotly.js writes a zero where there is no value.
            trace.SetProperty("text", map.Cells.Select(row => row.Select(value => value?.ToString(format, CultureInfo.InvariantCulture) ?? "").ToArray()).ToArray());
            trace.SetProperty("texttemplate", "%{text}");
        }

        return trace;
    }

    // Seven digits are as many as a float has: the page stays small. What is not finite is a gap.
    private static double?[] Numbers(IReadOnlyList<double?> values)
        => [.. values.Select(value => value is { } given && double.IsFinite(given) ? double.Parse(given.ToString("G7", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : (double?)null)];
}
