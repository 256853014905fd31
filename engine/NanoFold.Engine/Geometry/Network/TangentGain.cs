using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>Gains of steps along and across the data at the tokens of one layer, from draws of Jᵀ u.</summary>
internal sealed class TangentGain
{
    // Tokens whose tangent planes are made at most: their neighbors cost the square.
    private const int MostTokens = 1024;

    private readonly int _width;
    private readonly int _rank;
    private readonly int[] _rows; // of tokens, b · T + t
    private readonly TangentPlane[] _planes;
    private readonly TangentPlane[] _random;
    private Mean _along, _across, _inRandom, _outOfRandom;

    /// <param name="values">The stream, <c>[B, T, C]</c>.</param>
    /// <param name="time">T.</param>
    /// <param name="width">C.</param>
    /// <param name="rank">q, the dimension of planes.</param>
    /// <param name="seed">Of the random planes.</param>
    public TangentGain(ReadOnlySpan<double> values, int time, int width, int rank, ulong seed)
    {
        (_width, _rank) = (width, Math.Min(rank, width - 1));
        int[] later = [.. Enumerable.Range(0, values.Length / width).Where(row => row % time > 0 || time == 1)];
        int taken = Math.Min(later.Length, MostTokens);
        later = [.. Enumerable.Range(0, taken).Select(i => later[(int)((long)i * later.Length / taken)])];
        var rows = new float[later.Length * width];
        for (int i = 0; i < later.Length; i++)
        {
            TensorPrimitives.ConvertTruncating(values.Slice(later[i] * width, width), rows.AsSpan(i * width, width));
        }

        NeighborGraph graph = NearestNeighbors.Search(rows, later.Length, width, 2 * _rank);
        Duplicates = graph.DuplicatesDropped;
        if (graph.Status != GeometryStatus.Ok || graph.K < 2)
        {
            (_rows, _planes, _random) = ([], [], []);
            return;
        }

        int[] distinct = graph.Rows.ToArray();
        var random = new GaussianSource(seed);
        _rows = [.. distinct.Select(i => later[i])];
        _planes = [.. distinct.Select((row, i) => TangentPlane.Of(rows, width, [row, .. graph.Neighbors(i)], _rank))];
        _random = [.. distinct.Select(_ => TangentPlane.Random(width, _rank, random))];
    }

    /// <summary>Tokens left out because another has the same values.</summary>
    public int Duplicates { get; }

    /// <summary>Takes a draw of Jᵀ u in, <c>[B, T, C]</c>.</summary>
    public void Add(ReadOnlySpan<double> gradient)
    {
        var step = new float[_width];
        for (int i = 0; i < _rows.Length; i++)
        {
            TensorPrimitives.ConvertTruncating(gradient.Slice(_rows[i] * _width, _width), step);
            double all = TensorPrimitives.SumOfSquares<double>(gradient.Slice(_rows[i] * _width, _width));
            Add(all, _planes[i], step, ref _along, ref _across);
            Add(all, _random[i], step, ref _inRandom, ref _outOfRandom);
        }
    }

    /// <summary>Writes the figures.</summary>
    public void Write(FigureWriter figures, string how)
    {
        string estimator = $"√E‖J v‖² over unit v, all later places of the last layer, planes of {_rank} of {2 * _rank} neighbors, {how}, {Duplicates} duplicates dropped, position 0 out";
        void Add(string name, double? value, double? error = null) => figures.Add(name, value, _along.Status, estimator, _rows.Length, error);
        double? along = Root(_along), across = Root(_across);
        Add("gainAlong", along, Error(_along));
        Add("gainAcross", across, Error(_across));
        Add("gainRatio", along / across);
        Add("randomRatio", Root(_inRandom) / Root(_outOfRandom));
    }

    private static double? Root(in Mean squares) => squares.Value is { } value ? Math.Sqrt(value) : null;

    private static double? Error(in Mean squares) => squares.Value > 0 ? squares.Error / (2 * Math.Sqrt(squares.Value.Value)) : null;

    // Squares by dimension of a plane and of what is normal to it.
    private void Add(double all, TangentPlane plane, float[] step, ref Mean within, ref Mean normal)
    {
        double share = plane.NormalShare(step) ?? 0;
        if (plane.Rank > 0)
        {
            within.Add((1 - share) * all / plane.Rank);
            normal.Add(share * all / (_width - plane.Rank));
        }
    }
}
