namespace NanoFold.Reports.Charts;

/// <summary>What a figure shows: series over two axes, or a map of cells.</summary>
public interface IChart
{
    /// <summary>What it is called among the views of its figure.</summary>
    string Name { get; }

    Axis X { get; }

    Axis Y { get; }
}

/// <summary>Series over two axes.</summary>
/// <param name="Name">What it is called among the views of its figure.</param>
/// <param name="X">To the right.</param>
/// <param name="Y">Upwards.</param>
/// <param name="Series">In the order of the legend.</param>
public sealed record Chart(string Name, Axis X, Axis Y, params IReadOnlyList<Series> Series) : IChart
{
    /// <summary>The third axis of a chart in space, which is turned by dragging; null for one in the plane.</summary>
    public Axis? Z { get; init; }

    /// <summary>Whether dragging moves it and the wheel zooms, in place of choosing a part.</summary>
    public bool IsMoved { get; init; }
}

/// <summary>Charts of one kind, of which a slider shows one after the other: a checkpoint or a layer each.</summary>
/// <param name="Name">What it is called among the views of its figure.</param>
/// <param name="Over">What the slider goes over.</param>
/// <param name="Charts">A name and a chart each.</param>
public sealed record Frames(string Name, string Over, IReadOnlyList<(string Name, IChart Chart)> Charts) : IChart
{
    /// <summary>The first one shown.</summary>
    public int Start { get; init; }

    public Axis X => Charts[Start].Chart.X;

    public Axis Y => Charts[Start].Chart.Y;
}

/// <summary>Cells in rows and columns, colored by their values.</summary>
/// <param name="Name">What it is called among the views of its figure.</param>
/// <param name="X">Columns.</param>
/// <param name="Y">Rows, the first one at the bottom.</param>
/// <param name="Cells">[row][column]; null for none.</param>
/// <param name="Meaning">What the values are.</param>
public sealed record HeatMap(string Name, Axis X, Axis Y, IReadOnlyList<IReadOnlyList<double?>> Cells, string Meaning) : IChart
{
    /// <summary>How values are written into their cells, as .NET says it; null for not at all.</summary>
    public string? Written { get; init; }

    /// <summary>The values that have the first and last color; null for the smallest and largest.</summary>
    public (double Low, double High)? Range { get; init; }
}

/// <summary>An axis.</summary>
/// <param name="Title">What it shows, with its unit.</param>
public sealed record Axis(string Title)
{
    /// <summary>Whether equal factors are equally far apart.</summary>
    public bool IsLogarithmic { get; init; }

    /// <summary>An axis of layers, counted from 0.</summary>
    /// <param name="layers">Those that there are.</param>
    public static Axis Layers(IEnumerable<int> layers) => new("layer") { Marks = layers.Distinct().Count() <= 24 ? [.. layers.Distinct().Select(layer => (double)layer)] : null, Format = "d" };

    /// <summary>Names of the places 0, 1, 2 …; null where places are numbers.</summary>
    public IReadOnlyList<string>? Categories { get; init; }

    /// <summary>The places that are marked; null for what fits.</summary>
    public IReadOnlyList<double>? Marks { get; init; }

    /// <summary>Whether it begins at the top or on the right.</summary>
    public bool IsReversed { get; init; }

    /// <summary>How numbers are written, as d3 says it; null for what fits.</summary>
    public string? Format { get; init; }

    /// <summary>Whether zero is on it.</summary>
    public bool HasZero { get; init; }

    /// <summary>Its ends; null for what fits. Of a logarithmic axis the values themselves.</summary>
    public (double Low, double High)? Range { get; init; }
}
