using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>Rows without their mean, in double precision.</summary>
internal sealed class CenteredPoints
{
    private readonly double[] _values;

    /// <param name="points">[N, D].</param>
    /// <param name="d">D.</param>
    /// <param name="rows">Which of them.</param>
    public CenteredPoints(ReadOnlySpan<float> points, int d, ReadOnlySpan<int> rows)
    {
        (Width, Count) = (d, rows.Length);
        (_values, Mean, Squares) = (new double[checked(Count * d)], new double[d], new double[Count]);
        for (int i = 0; i < Count; i++)
        {
            Span<double> row = _values.AsSpan(i * d, d);
            TensorPrimitives.ConvertChecked(points.Slice(rows[i] * d, d), row);
            TensorPrimitives.Add(Mean, row, Mean);
        }

        TensorPrimitives.Divide(Mean, Count, Mean);
        for (int i = 0; i < Count; i++)
        {
            Span<double> row = _values.AsSpan(i * d, d);
            TensorPrimitives.Subtract(row, Mean, row);
            Squares[i] = TensorPrimitives.SumOfSquares<double>(row);
        }
    }

    /// <summary>How many.</summary>
    public int Count { get; }

    /// <summary>D.</summary>
    public int Width { get; }

    /// <summary>What was taken off, [D].</summary>
    public double[] Mean { get; }

    /// <summary>All of them, [N, D].</summary>
    public ReadOnlySpan<double> Values => _values;

    /// <summary>The square of the length of each.</summary>
    public double[] Squares { get; }

    /// <summary>One of them, [D].</summary>
    public ReadOnlySpan<double> Row(int i) => _values.AsSpan(i * Width, Width);
}
