using System.Numerics.Tensors;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Size of every matrix W [M, N] of the parameters: root mean square of its entries, largest singular value σ₁ by power iteration on WᵀW, and stable
/// rank ‖W‖²_F/σ₁². Power iteration comes from below, so that σ₁ is at least the figure and the stable rank at most.
/// </summary>
public sealed record WeightNormMeasure : WeightMeasure
{
    /// <summary>Rounds of the power iteration.</summary>
    [Bounds(1, 1000)]
    public int Rounds { get; init; } = 20;

    /// <inheritdoc/>
    public override string Legend => "rms, σ₁, stable rank = of a matrix of weights";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("rms", "rms", "0.0000"), new("largestSingularValue", "σ₁", "0.00"), new("stableRank", "stable rank", "0.0")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 2.0 * Rounds * 12 * width * width;

    /// <inheritdoc/>
    public override void Take(WeightSample weights, FigureWriter figures)
    {
        long count = weights.Values.Length;
        if (!RowGuard.AllFinite(weights.Values))
        {
            figures.Add("rms", null, GeometryStatus.NotFinite, "all entries", count);
            return;
        }

        double squares = 0;
        for (int row = 0; row < weights.Rows; row++)
        {
            squares += TensorPrimitives.SumOfSquares(weights.Values.AsSpan(row * weights.Columns, weights.Columns));
        }

        GeometryStatus status = squares > 0 ? GeometryStatus.Ok : GeometryStatus.ZeroVariance;
        double largest = squares > 0 ? LargestSingularValue(weights) : 0;
        string estimator = $"power iteration, {Rounds} rounds";
        figures.Add("rms", Math.Sqrt(squares / count), GeometryStatus.Ok, "all entries", count);
        figures.Add("largestSingularValue", largest, status, estimator, count);
        figures.Add("stableRank", squares / (largest * largest), status, estimator, count);
    }

    private double LargestSingularValue(WeightSample w)
    {
        var x = new float[w.Columns];
        var y = new float[w.Rows];
        new GaussianSource(1).FillNormal(x);
        double value = 0;
        for (int round = 0; round < Rounds; round++)
        {
            TensorPrimitives.Divide(x, (float)Math.Max(TensorPrimitives.Norm<float>(x), float.Epsilon), x);
            for (int row = 0; row < w.Rows; row++)
            {
                y[row] = TensorPrimitives.Dot(w.Values.AsSpan(row * w.Columns, w.Columns), x);
            }

            value = TensorPrimitives.Norm<float>(y);
            x.AsSpan().Clear();
            for (int row = 0; row < w.Rows; row++)
            {
                TensorPrimitives.MultiplyAdd(w.Values.AsSpan(row * w.Columns, w.Columns), y[row], x, x);
            }
        }

        return value;
    }
}
