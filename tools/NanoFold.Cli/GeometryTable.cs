using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;

namespace NanoFold.Cli;

/// <summary>
/// What was measured last, as tables: one for each kind of place, its rows the places and its columns the figures that the measures show. It knows none of
/// the figures.
/// </summary>
internal static class GeometryTable
{
    private const string Stream = "hook_resid_post";

    // What a table that is too long is told by, of its figures in order.
    private static readonly (string Name, Func<double[], double> Of)[] s_summary = [("least", v => v[0]), ("median", v => (v[(v.Length - 1) / 2] + v[v.Length / 2]) / 2), ("largest", v => v[^1])];

    // What costs less is not told.
    private const double LeastSeconds = 0.005;

    // Of more measures nobody reads what their columns are below the tables.
    private const int MostLegends = 12;

    // Of what measuring took: a line is read at a glance.
    private const int MostCosts = 5;

    /// <param name="output">Where it goes.</param>
    /// <param name="geometry">What was measured.</param>
    /// <param name="steps">Steps that the model has taken: figures of an earlier one say so.</param>
    public static void Write(Output output, GeometryRecorder geometry, long steps)
    {
        IReadOnlyList<Measured> latest = geometry.Latest;
        Measure[] shown = WriteTables(output, latest, int.MaxValue);

        long last = latest.Max(m => m.Step);
        string at = last == steps ? "" : $" at step {Display.Count(last)}";
        output.Line($"residual stream after each block{at}, {Display.Count(geometry.Shape.Points)} of {Display.Count(geometry.Shape.Tokens)} probe tokens, neighbors of {Display.Count(geometry.Shape.Neighbors)}");
        WriteLegends(output, shown);
        string[] earlier = [.. latest.Where(m => m.Step < last).GroupBy(m => m.Measure.Kind).Select(g => $"{g.Key} of step {Display.Count(g.Max(m => m.Step))}")];
        if (earlier.Length > 0)
        {
            output.Line($"for want of time: {string.Join(", ", earlier)}");
        }

        int[] seen = [.. latest.Select(m => m.Place.Layer).OfType<int>()], missing = seen.Length == 0 ? [] : [.. Enumerable.Range(0, geometry.Layers).Except(seen)];
        if (missing.Length > 0)
        {
            output.Line($"for want of time not measured: layers {string.Join(", ", missing)}");
        }

        if (geometry.NeverTaken is { Count: > 0 } never)
        {
            output.Line($"for want of time not measured: {string.Join(", ", never)}; the verb geometry measures them");
        }

        output.Line();
    }

    /// <summary>A line of what measuring took, the dearest first; all of it is in result.json.</summary>
    /// <param name="output">Where it goes.</param>
    /// <param name="costs">Of each measure.</param>
    /// <param name="seconds">Of the run.</param>
    public static void WriteCosts(Output output, IReadOnlyList<MeasureCost> costs, double seconds)
    {
        double spent = costs.Sum(cost => cost.Seconds);
        MeasureCost[] dear = [.. costs.Where(cost => cost.Seconds >= LeastSeconds).OrderByDescending(cost => cost.Seconds)];
        double others = dear.Skip(MostCosts).Sum(cost => cost.Seconds);
        IEnumerable<string> told = dear.Take(MostCosts).Select(cost => $"{cost.Measure} {Display.Number(cost.Seconds, "0.00")} s ({Display.Count(cost.Times)}×)");
        told = others > 0 ? told.Append($"others {Display.Number(others, "0.00")} s") : told;
        string share = seconds > 0 ? $", {Display.Number(100 * spent / seconds, "0.0")} % of the run" : "";
        output.Line($"measuring took {Display.Number(spent, "0.00")} s{share}: {string.Join(", ", told)}");
        output.Line();
    }

    /// <summary>Only the tables, and what their columns are.</summary>
    /// <param name="output">Where they go.</param>
    /// <param name="measured">What was measured.</param>
    /// <param name="mostRows">Of a table; of longer ones, but for those by layer, there are the least, median and largest figures.</param>
    public static void Write(Output output, IReadOnlyList<Measured> measured, int mostRows)
    {
        Measure[] shown = WriteTables(output, measured, mostRows);
        output.Line();
        WriteLegends(output, shown);
    }

    private static Measure[] WriteTables(Output output, IReadOnlyList<Measured> measured, int mostRows) =>
    [
        .. measured.GroupBy(TableOf)
            .Where(table => Write(output, table.Key, [.. table], table.Key.StartsWith("layer", StringComparison.Ordinal) ? int.MaxValue : mostRows))
            .SelectMany(table => table.Select(m => m.Measure)).Distinct(),
    ];

    private static void WriteLegends(Output output, IReadOnlyList<Measure> shown)
    {
        string[] legends = [.. shown.Select(measure => measure.Legend).Where(legend => legend.Length > 0).Distinct()];
        foreach (string legend in legends.Length <= MostLegends ? legends : ["what the columns are: docs/measures.md"])
        {
            output.Line($"  {legend}");
        }
    }

    // Whether there was anything to show.
    private static bool Write(Output output, string title, IReadOnlyList<Measured> measured, int mostRows)
    {
        (Measure Measure, FigureColumn Column)[] columns = [.. measured.Select(m => m.Measure).Distinct().SelectMany(m => ColumnsOf(m, measured).Select(c => (m, c)))];
        Dictionary<(string Row, Measure Measure, string Figure), double?> values = [];
        foreach (Measured one in measured)
        {
            foreach (Figure figure in one.Figures)
            {
                values[(RowOf(one.Place), one.Measure, figure.Name)] = figure.Value;
            }
        }

        // What has arrays only has no row.
        string[] rows = [.. measured.Where(m => m.Figures.Count > 0).Select(m => m.Place).OrderBy(p => p.Layer ?? -1).ThenBy(p => p.Head ?? p.Stream ?? -1).Select(RowOf).Distinct()];
        // A column that no row has a figure for would only take room.
        columns = [.. columns.Where(c => rows.Any(row => values.GetValueOrDefault((row, c.Measure, c.Column.Figure)) is not null))];
        if (columns.Length == 0)
        {
            return false;
        }

        output.Line();
        output.Table(
            numbers: true,
            [
                [title, .. columns.Select(c => c.Column.Head)],
                .. rows.Length <= mostRows
                    ? rows.Select(row => (string[])[row, .. columns.Select(c => Cell(c.Column, values.GetValueOrDefault((row, c.Measure, c.Column.Figure))))])
                    : s_summary.Select(line => (string[])[$"{line.Name} of {Display.Count(rows.Length)}", .. columns.Select(c => Cell(c.Column, line.Of(Sorted(c))))]),
            ]);

        double[] Sorted((Measure Measure, FigureColumn Column) c) =>
            [.. rows.Select(row => values.GetValueOrDefault((row, c.Measure, c.Column.Figure))).OfType<double>().Order()];

        static string Cell(FigureColumn column, double? value) => value is { } number ? Display.Number(number * column.Factor, column.Format) : "–";

        return true;
    }

    private static IEnumerable<FigureColumn> ColumnsOf(Measure measure, IReadOnlyList<Measured> measured)
    {
        string[] names = [.. measured.Where(m => m.Measure == measure).SelectMany(m => m.Figures).Select(f => f.Name).Distinct()];
        return measure.Columns.Count > 0 ? measure.Columns.SelectMany(column => column.Of(names)) : names.Select(name => new FigureColumn(name, name, "0.###"));
    }

    // Whatever is measured of a block, or of the stream after it, stands in one row.
    private static string TableOf(Measured measured) => measured.Place switch
    {
        { Scope: "network", Layer: not null } => $"layer, {measured.Measure.Kind}",
        { Scope: "checkpoints" } place => $"{measured.Measure.Kind}, {place.Other} to the last",
        { Scope: "point" } place when !place.Point.EndsWith(Stream, StringComparison.Ordinal) => $"layer, {place.Point[(place.Point.IndexOf('.', "blocks.".Length) + 1)..]}",
        { Scope: "point" or "block" or "step" } => "layer",
        var place => place.Scope,
    };

    private static string RowOf(FigurePlace place) => place.Scope switch
    {
        "head" => string.Create(CultureInfo.InvariantCulture, $"{place.Layer}.{place.Head}"),
        "stream" => string.Create(CultureInfo.InvariantCulture, $"{place.Point}, stream {place.Stream}"),
        "pair" => $"{place.Point.Replace("." + Stream, "", StringComparison.Ordinal)} and {place.Other!.Replace("." + Stream, "", StringComparison.Ordinal)}",
        "point" or "block" or "step" => string.Create(CultureInfo.InvariantCulture, $"{place.Layer}"),
        "network" or "checkpoints" => place.Point.Replace("blocks.", "", StringComparison.Ordinal).Replace("hook_", "", StringComparison.Ordinal),
        _ => place.Point,
    };
}
