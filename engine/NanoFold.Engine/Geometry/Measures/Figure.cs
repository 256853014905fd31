using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>One number that was measured, with what must be said beside it.</summary>
/// <param name="Name">Its name within the measure, as in <c>participationRatio</c>.</param>
/// <param name="Value">None where <paramref name="Status"/> says why.</param>
/// <param name="Error">Its standard error, where the estimator has one.</param>
/// <param name="Status">Whether there is a value, and whether it is a bound.</param>
/// <param name="Estimator">How it was estimated, with its settings, centering and positions.</param>
/// <param name="Points">N.</param>
public sealed record Figure(string Name, double? Value, double? Error, GeometryStatus Status, string Estimator, long Points);

/// <summary>Where a figure was measured.</summary>
/// <param name="Scope"><c>point</c>, <c>stream</c>, <c>block</c>, <c>head</c>, <c>pair</c>, <c>step</c>, <c>weights</c> or <c>model</c>.</param>
/// <param name="Point">The point's, the block's or the parameter's full name.</param>
/// <param name="Layer">The block, from 0, where it is of one.</param>
/// <param name="Head">The head, from 0, where it is of one.</param>
/// <param name="Other">The second point of a pair.</param>
/// <param name="Stream">The stream, from 0, where it is of one of several.</param>
public sealed record FigurePlace(string Scope, string Point, int? Layer = null, int? Head = null, string? Other = null, int? Stream = null);

/// <summary>How a figure looks in the table at the end of a run.</summary>
/// <param name="Figure">Its name.</param>
/// <param name="Head">The column's title.</param>
/// <param name="Format">A .NET format of numbers.</param>
/// <param name="Factor">100 for shares in percent.</param>
public sealed record FigureColumn(string Figure, string Head, string Format, double Factor = 1);

/// <summary>The figures of one measure at one place.</summary>
/// <param name="Measure">What measured.</param>
/// <param name="Place">Where.</param>
/// <param name="Step">Steps that the model had taken.</param>
/// <param name="Figures">In the order in which they were written.</param>
public sealed record Measured(Measure Measure, FigurePlace Place, long Step, IReadOnlyList<Figure> Figures);

/// <summary>Takes a measure's figures down.</summary>
public sealed class FigureWriter
{
    private readonly List<Figure> _figures = [];

    /// <summary>What was written.</summary>
    public IReadOnlyList<Figure> Figures => _figures;

    /// <summary>Adds a figure. A value that is missing or not finite is none; where the status does not say why, it is <see cref="GeometryStatus.Degenerate"/>.</summary>
    /// <param name="name">Unique within the measure and place; camel case.</param>
    /// <param name="value">The number, if there is one.</param>
    /// <param name="status">As the estimator says.</param>
    /// <param name="estimator">How it was estimated.</param>
    /// <param name="points">N.</param>
    /// <param name="error">Standard error.</param>
    public void Add(string name, double? value, GeometryStatus status, string estimator, long points, double? error = null)
    {
        bool isThere = value is { } number && double.IsFinite(number) && status.HasValue();
        status = isThere || !status.HasValue() ? status : GeometryStatus.Degenerate;
        _figures.Add(new Figure(name, isThere ? value : null, isThere && error is { } e && double.IsFinite(e) ? e : null, status, estimator, points));
    }
}
