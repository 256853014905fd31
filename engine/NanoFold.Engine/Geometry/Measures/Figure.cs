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
/// <param name="Scope"><c>point</c>, <c>stream</c>, <c>block</c>, <c>head</c>, <c>pair</c>, <c>step</c>, <c>weights</c>, <c>model</c>, <c>network</c> or <c>checkpoints</c>.</param>
/// <param name="Point">The point's, the block's or the parameter's full name.</param>
/// <param name="Layer">The block, from 0, where it is of one.</param>
/// <param name="Head">The head, from 0, where it is of one.</param>
/// <param name="Other">The second point of a pair, or the checkpoint that is compared with.</param>
/// <param name="Stream">The stream, from 0, where it is of one of several.</param>
public sealed record FigurePlace(string Scope, string Point, int? Layer = null, int? Head = null, string? Other = null, int? Stream = null);

/// <summary>How a figure looks in the table at the end of a run.</summary>
/// <param name="Figure">Its name; <c>dimension.*</c> for a column of each figure that begins so.</param>
/// <param name="Head">The column's title, a star in it for what the figure's name ends with.</param>
/// <param name="Format">A .NET format of numbers.</param>
/// <param name="Factor">100 for shares in percent.</param>
public sealed record FigureColumn(string Figure, string Head, string Format, double Factor = 1)
{
    /// <summary>This column, or one for each of the names that it stands for.</summary>
    /// <param name="names">Of the figures that there are.</param>
    public IEnumerable<FigureColumn> Of(IEnumerable<string> names) => Figure.EndsWith('*')
        ? names.Where(name => name.StartsWith(Figure[..^1], StringComparison.Ordinal))
            .Select(name => this with { Figure = name, Head = Head.Replace("*", name[(Figure.Length - 1)..], StringComparison.Ordinal) })
        : [this];
}

/// <summary>The figures of one measure at one place.</summary>
/// <param name="Measure">What measured.</param>
/// <param name="Place">Where.</param>
/// <param name="Step">Steps that the model had taken.</param>
/// <param name="Figures">In the order in which they were written.</param>
public sealed record Measured(Measure Measure, FigurePlace Place, long Step, IReadOnlyList<Figure> Figures);

/// <summary>Numbers that stand beside figures, such as a spectrum.</summary>
/// <param name="Name">Unique within the measure and place; camel case.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Values">Of float, double or int.</param>
public sealed record FigureArray(string Name, IReadOnlyList<int> Shape, Array Values);

/// <summary>Words that stand beside figures, for a person to read, such as what the head makes of each layer.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Rows">Rows of cells, the first of them the heads of the columns.</param>
public sealed record WordTable(string Title, IReadOnlyList<IReadOnlyList<string>> Rows);

/// <summary>Takes a measure's figures down.</summary>
/// <param name="wantsArrays">Whether arrays are kept, too: after training only.</param>
public sealed class FigureWriter(bool wantsArrays = false)
{
    private readonly List<Figure> _figures = [];
    private readonly List<FigureArray> _arrays = [];
    private readonly List<WordTable> _words = [];
    private readonly OrderedDictionary<FigurePlace, FigureWriter> _elsewhere = [];

    /// <summary>What was written.</summary>
    public IReadOnlyList<Figure> Figures => _figures;

    /// <summary>The arrays that were written; none where nobody wants them.</summary>
    public IReadOnlyList<FigureArray> Arrays => _arrays;

    /// <summary>The tables of words; none where nobody wants arrays.</summary>
    public IReadOnlyList<WordTable> Words => _words;

    /// <summary>Whether arrays are kept: otherwise making them is a waste.</summary>
    public bool WantsArrays => wantsArrays;

    /// <summary>Where figures of another place than the measure's own go, such as those of one layer of a network.</summary>
    public FigureWriter At(FigurePlace place)
    {
        if (!_elsewhere.TryGetValue(place, out FigureWriter? writer))
        {
            writer = new FigureWriter(wantsArrays);
            _elsewhere.Add(place, writer);
        }

        return writer;
    }

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

    /// <summary>Keeps an array beside the figures, such as distances, neighbors or coordinates.</summary>
    /// <param name="name">Unique within the measure and place; camel case.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="values">Row-major.</param>
    public void Array(string name, ReadOnlySpan<int> shape, ReadOnlySpan<float> values) => Keep(name, shape, values);

    /// <inheritdoc cref="Array(string, ReadOnlySpan{int}, ReadOnlySpan{float})"/>
    public void Array(string name, ReadOnlySpan<int> shape, ReadOnlySpan<double> values) => Keep(name, shape, values);

    /// <inheritdoc cref="Array(string, ReadOnlySpan{int}, ReadOnlySpan{float})"/>
    public void Array(string name, ReadOnlySpan<int> shape, ReadOnlySpan<int> values) => Keep(name, shape, values);

    /// <summary>Keeps a table of words, which the verb prints; of the measure as a whole, not of one place.</summary>
    public void Show(WordTable table)
    {
        if (wantsArrays)
        {
            _words.Add(table);
        }
    }

    /// <summary>All that was written, by place.</summary>
    /// <param name="own">The measure's own place.</param>
    internal IEnumerable<(FigurePlace Place, FigureWriter Written)> ByPlace(FigurePlace own)
        => _elsewhere.Select(pair => (pair.Key, pair.Value)).Prepend((own, this)).Where(pair => pair.Item2._figures.Count + pair.Item2._arrays.Count > 0);

    private void Keep<T>(string name, ReadOnlySpan<int> shape, ReadOnlySpan<T> values)
    {
        long count = 1;
        foreach (int length in shape)
        {
            count *= length;
        }

        if (count != values.Length)
        {
            throw new ArgumentException($"array {name}: {values.Length} values are not of shape [{string.Join(", ", shape.ToArray())}]", nameof(values));
        }

        if (wantsArrays)
        {
            _arrays.Add(new FigureArray(name, shape.ToArray(), values.ToArray()));
        }
    }
}
