using NanoFold.Engine;
using NanoFold.Engine.Benchmarks.Mixers;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace NanoFold.Cli.Commands.Bench;

/// <summary>Draws what a token takes in each mixer against the context: level where time grows with T, rising where it grows with T².</summary>
internal static class MixerPlot
{
    private const double Width = 860, Height = 560;
    // Texts are measured by guess, and cut where that was too little.
    private const string Room = "\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0";

    private static readonly MarkerType[] s_markers = [MarkerType.Circle, MarkerType.Square, MarkerType.Triangle, MarkerType.Diamond];

    // Told apart by those who do not see all colors alike (Okabe and Ito's palette without its yellow).
    private static readonly OxyColor[] s_colors =
    [
        OxyColor.FromRgb(0, 0, 0), OxyColor.FromRgb(230, 159, 0), OxyColor.FromRgb(86, 180, 233), OxyColor.FromRgb(0, 158, 115),
        OxyColor.FromRgb(0, 114, 178), OxyColor.FromRgb(213, 94, 0), OxyColor.FromRgb(204, 121, 167),
    ];

    public static void Write(string path, IReadOnlyList<MixerResult> results)
    {
        var plot = new PlotModel { Background = OxyColors.White, DefaultFont = "sans-serif", PlotAreaBorderColor = OxyColors.LightGray };
        plot.Legends.Add(new Legend { LegendPosition = LegendPosition.RightTop, LegendPlacement = LegendPlacement.Outside, LegendFontSize = 11, LegendLineSpacing = 4 });
        plot.Axes.Add(new LinearAxis
        {
            Position = AxisPosition.Bottom, Title = "context, tokens", MajorStep = 1, MinorTickSize = 0, LabelFormatter = power => Display.Number(Math.Pow(2, power), "0"),
            MajorGridlineStyle = LineStyle.Solid, MajorGridlineColor = OxyColors.WhiteSmoke,
        });
        plot.Axes.Add(new LogarithmicAxis
        {
            Position = AxisPosition.Left, Base = 10, Title = "forward and backward, µs a token", AxisTitleDistance = 14,
            MajorGridlineStyle = LineStyle.Solid, MajorGridlineColor = OxyColors.WhiteSmoke, MinorGridlineStyle = LineStyle.Solid, MinorGridlineColor = OxyColors.WhiteSmoke,
        });
        foreach ((int index, IGrouping<string, MixerResult> kind) in results.GroupBy(r => r.Case.Kind).Index())
        {
            OxyColor color = s_colors[index % s_colors.Length];
            var line = new LineSeries
            {
                Title = kind.Key + Room, Color = color, MarkerFill = color, MarkerType = s_markers[index / s_colors.Length % s_markers.Length], MarkerSize = 3, StrokeThickness = 1.4,
            };
            line.Points.AddRange(kind.Select(r => new DataPoint(Math.Log2(r.Case.Context), 1e6 * r.MixingSeconds / ((double)r.Case.Batch * r.Case.Context))));
            plot.Series.Add(line);
        }

        OutputFile.Write(path, stream => new SvgExporter { Width = Width, Height = Height, UseVerticalTextAlignmentWorkaround = true }.Export(plot, stream));
    }
}
