using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>
/// Values of one point of a model at sampled tokens, [N, D], with what the tokens are. All measures share it, and what several of them need of it is
/// made once, when first asked for: neighbors, second moments, norms.
/// </summary>
public sealed class PointCloud
{
    private readonly int _neighborPoints;
    private readonly Backend? _backend;
    private float[] _values = [];
    private StreamingMoments? _moments;
    private PositionSplit<RowSummary>? _lengths;
    private bool _hasMoments;
    private int _mostNeighbors;
    private PointCloud[] _parts = [];
    private bool[] _hasPart = [];

    internal PointCloud(SampledRows rows, int neighborPoints, int mostNeighbors, Backend? backend = null)
    {
        _backend = backend;
        Rows = rows;
        _neighborPoints = Math.Min(neighborPoints, LaterCount);
        _mostNeighbors = mostNeighbors;
    }

    /// <summary>A cloud of given values: for measures outside a run.</summary>
    /// <param name="point">The point's full name.</param>
    /// <param name="rows">What the rows are.</param>
    /// <param name="values">[N, D].</param>
    /// <param name="neighborPoints">Rows whose neighbors are searched at most.</param>
    public PointCloud(string point, SampledRows rows, ReadOnlySpan<float> values, int neighborPoints = int.MaxValue)
        : this(rows, neighborPoints, 0)
    {
        if (values.Length % rows.Count != 0)
        {
            throw new ArgumentException($"point cloud: {values.Length} values are not of {rows.Count} rows");
        }

        values.CopyTo(Begin(point, 0, values.Length / rows.Count));
    }

    /// <summary>The point's full name, <c>blocks.3.hook_resid_post</c>.</summary>
    public string Point { get; private set; } = "";

    /// <summary>The block it is of, from 0.</summary>
    public int Layer { get; private set; }

    /// <summary>Which tokens, at which positions, of which documents; those at position 0 come first.</summary>
    public SampledRows Rows { get; }

    /// <summary>N.</summary>
    public int Count => Rows.Count;

    /// <summary>D, the values of a token.</summary>
    public int Width { get; private set; }

    /// <summary>The shape of a token's value, as in [H, D]; its product is <see cref="Width"/>.</summary>
    public IReadOnlyList<int> Shape { get; internal set; } = [];

    /// <summary>How many values of the stream's width a token has: the streams, where there are several.</summary>
    public int Parts { get; private set; } = 1;

    /// <summary>[N, D].</summary>
    public ReadOnlySpan<float> Values => _values.AsSpan(0, Count * Width);

    /// <summary>The values without position 0, [N − first, D].</summary>
    public ReadOnlySpan<float> Later => Values[(Rows.First * Width)..];

    /// <summary>N without position 0.</summary>
    public int LaterCount => Count - Rows.First;

    /// <summary>The first rows of <see cref="Later"/>, spread over windows and positions: those whose neighbors are searched.</summary>
    public ReadOnlySpan<float> NeighborValues => Later[..(_neighborPoints * Width)];

    /// <summary>How many rows those are.</summary>
    public int NeighborCount => _neighborPoints;

    internal NeighborGraph? Graph { get; set; }

    /// <summary>The values without position 0, to be changed; what was made of them is forgotten.</summary>
    internal Span<float> Change()
    {
        (Graph, _hasMoments, _lengths) = (null, false, null);
        Array.Clear(_hasPart);
        return _values.AsSpan(0, Count * Width)[(Rows.First * Width)..];
    }

    /// <summary>
    /// The k nearest neighbors or more among <see cref="NeighborValues"/>. Searched once, with as many neighbors as any of the measures wants.
    /// </summary>
    public NeighborGraph Neighbors(int k)
    {
        _mostNeighbors = Math.Max(_mostNeighbors, k);
        if (Graph is null || (Graph.K < k && Graph.K < Graph.Count - 1))
        {
            Graph = NearestNeighbors.Search(NeighborValues, NeighborCount, Width, _mostNeighbors, _backend);
        }

        return Graph;
    }

    /// <summary>Mean and second moments without position 0.</summary>
    public StreamingMoments Moments()
    {
        if (!_hasMoments)
        {
            if (_moments?.Dimension == Width)
            {
                _moments.Clear();
            }
            else
            {
                _moments = new StreamingMoments(Width);
            }

            _moments.Add(Later, LaterCount);
            _hasMoments = true;
        }

        return _moments!;
    }

    /// <summary>Norms and mean cosine, with and without position 0.</summary>
    public PositionSplit<RowSummary> Lengths() => _lengths ??= RowStatistics.Rows(Values, Count, Width, Rows.First);

    /// <summary>One of the <see cref="Parts"/> of every token, [N, D / parts]. Made once, when first asked for.</summary>
    public PointCloud Part(int index)
    {
        int width = Width / Parts;
        if (_parts.Length < Parts)
        {
            _parts = [.. Enumerable.Range(0, Parts).Select(_ => new PointCloud(Rows, _neighborPoints, _mostNeighbors, _backend))];
            _hasPart = new bool[Parts];
        }

        if (!_hasPart[index])
        {
            Span<float> part = _parts[index].Begin(Point, Layer, width);
            for (int row = 0; row < Count; row++)
            {
                Values.Slice((row * Width) + (index * width), width).CopyTo(part[(row * width)..]);
            }

            _hasPart[index] = true;
        }

        return _parts[index];
    }

    /// <summary>The same in memory of its own.</summary>
    internal PointCloud Copy()
    {
        var copy = new PointCloud(Rows, _neighborPoints, _mostNeighbors, _backend);
        Values.CopyTo(copy.Begin(Point, Layer, Width, Parts));
        copy.Graph = Graph;
        return copy;
    }

    /// <summary>Where values of another point or another measurement go, [N, width].</summary>
    internal Span<float> Begin(string point, int layer, int width, int parts = 1)
    {
        (Point, Layer, Width, Parts, Graph, _hasMoments, _lengths) = (point, layer, width, parts, null, false, null);
        Shape = [width];
        Array.Clear(_hasPart);
        if (_values.Length < Count * width)
        {
            _values = new float[Count * width];
        }

        return _values.AsSpan(0, Count * width);
    }
}
