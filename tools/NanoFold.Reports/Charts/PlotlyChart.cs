using System.Globalization;
using DynamicObj;
using Microsoft.FSharp.Collections;
using Plotly.NET;
using Plotly.NET.LayoutObjects;

namespace NanoFold.Reports.Charts;

/// <summary>
/// A chart as plotly.js reads it, made of the objects of Plotly.NET. Colors are names (<see cref="Color"/>) that the page's script replaces, as it chooses what
/// depends on the screen.
/// </summary>
internal static class PlotlyChart
{
    /// <summary>An object with the keys <c>data</c> and <c>layout</c>; of several charts under a slider <c>frames</c>, <c>over</c> and <c>start</c> in place of <c>data</c>.</summary>
    public static string ToJson(IChart chart)
    {
        if (chart is Frames frames)
        {
            // Layouts are the first one's: axes stay where they are while the slider moves.
            string[] charts = [.. frames.Charts.Select(frame => ToJson(frame.Chart))];
            string names = string.Join(",", frames.Charts.Select((frame, i) => $"{{\"name\":{Quoted(frame.Name)},\"view\":{charts[i]}}}"));
            return string.Create(CultureInfo.InvariantCulture, $"{{\"over\":{Quoted(frames.Over)},\"start\":{frames.Start},\"frames\":[{names}]}}");
        }

        IEnumerable<Trace> traces = chart switch
        {
            Chart { Z: not null } space => space.Series.Select(PlotlyTrace.InSpace),
            Chart series => series.Series.SelectMany(PlotlyTrace.Of),
            HeatMap map => [PlotlyTrace.Of(map)],
            _ => throw new NotSupportedException(chart.GetType().Name),
        };
        var layout = new Layout();
        layout.SetProperty("xaxis", PlotlyAxis.Of(chart.X));
        layout.SetProperty("yaxis", PlotlyAxis.Of(chart.Y));
        layout.SetProperty("hovermode", "closest");
        if (chart is Chart { Z: { } depth })
        {
            layout.SetProperty("scene", Set(new DynamicObj.DynamicObj(), ("xaxis", PlotlyAxis.Of(chart.X)), ("yaxis", PlotlyAxis.Of(chart.Y)), ("zaxis", PlotlyAxis.Of(depth))));
        }

        if (chart is Chart { IsMoved: true })
        {
            layout.SetProperty("dragmode", "pan");
        }

        GenericChart made = GenericChart.ofTraceObjects(false, ListModule.OfSeq(traces));
        return GenericChart.toFigureJson(GenericChart.setLayout(layout, made));
    }

    private static string Quoted(string text) => System.Text.Json.JsonSerializer.Serialize(text);

    /// <summary>Text as it is: plotly.js reads it as a kind of HTML, where &lt;b&gt; is bold.</summary>
    public static string Plain(string text)
        => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal);

    /// <summary>Sets properties of an object of Plotly.NET.</summary>
    public static T Set<T>(T target, params IEnumerable<(string Name, object Value)> properties)
        where T : DynamicObj.DynamicObj
    {
        foreach ((string name, object value) in properties)
        {
            target.SetProperty(name, value);
        }

        return target;
    }
}
