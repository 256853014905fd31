using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Labels;

/// <summary>How few of the hidden units of a feed-forward carry a token, and how few tokens a unit answers to.</summary>
public sealed record UnitSparsity
{
    /// <summary>TooFewPoints without rows, ZeroVariance where all is 0, NotFinite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows measured.</summary>
    public required int Rows { get; init; }

    /// <summary>Share of values above 0 in size, relative to the root mean square of all: |h| &gt; threshold · rms.</summary>
    public double? Active { get; init; }

    /// <summary>Hoyer (2004) over the units of a token, mean over tokens: (√F − ‖h‖₁/‖h‖₂)/(√F − 1); 0 where all are alike, 1 with one unit only.</summary>
    public double? Hoyer { get; init; }

    /// <summary>Mean share of units that hold 90 % of a token's Σh².</summary>
    public double? UnitsFor90 { get; init; }

    /// <summary>Share of units that are active at no row.</summary>
    public double? Silent { get; init; }

    /// <summary>Mean over units of (mean |h|)²/mean h² over rows (Treves and Rolls 1991): 1 where a unit answers to all alike, 1/N to one row only.</summary>
    public double? Breadth { get; init; }

    /// <summary>Measures rows.</summary>
    /// <param name="values"><c>[N, F]</c>.</param>
    /// <param name="units">F.</param>
    /// <param name="threshold">From which share of the root mean square on a unit is active.</param>
    public static UnitSparsity Measure(ReadOnlySpan<float> values, int units, double threshold)
    {
        int n = values.Length / units;
        RowGuard.Shape(values, n, units);
        double squares = 0;
        foreach (float value in values)
        {
            squares += (double)value * value;
        }

        if (n == 0 || !double.IsFinite(squares) || squares == 0)
        {
            return new UnitSparsity { Status = n == 0 ? GeometryStatus.TooFewPoints : squares == 0 ? GeometryStatus.ZeroVariance : GeometryStatus.NotFinite, Rows = n };
        }

        double least = threshold * Math.Sqrt(squares / values.Length), hoyer = 0, ninety = 0, breadth = 0;
        double[] sums = new double[units], squaresOf = new double[units], sizes = new double[units];
        var answers = new int[units];
        long active = 0;
        int some = 0;
        for (int row = 0; row < n; row++)
        {
            double sum = 0, square = 0;
            for (int unit = 0; unit < units; unit++)
            {
                double size = Math.Abs(values[(row * units) + unit]);
                sizes[unit] = size * size;
                (sum, square) = (sum + size, square + sizes[unit]);
                (sums[unit], squaresOf[unit]) = (sums[unit] + size, squaresOf[unit] + sizes[unit]);
                if (size > least)
                {
                    active++;
                    answers[unit]++;
                }
            }

            if (square > 0)
            {
                some++;
                hoyer += units > 1 ? (Math.Sqrt(units) - (sum / Math.Sqrt(square))) / (Math.Sqrt(units) - 1) : 1;
                Array.Sort(sizes);
                Array.Reverse(sizes);
                ninety += (double)MatrixSpectrum.CountFor(sizes, 0.9) / units;
            }
        }

        int alive = 0;
        for (int unit = 0; unit < units; unit++)
        {
            if (squaresOf[unit] > 0)
            {
                alive++;
                breadth += sums[unit] * sums[unit] / n / squaresOf[unit];
            }
        }

        return new UnitSparsity
        {
            Status = GeometryStatus.Ok,
            Rows = n,
            Active = (double)active / values.Length,
            Hoyer = hoyer / some,
            UnitsFor90 = ninety / some,
            Silent = (double)answers.Count(count => count == 0) / units,
            Breadth = breadth / alive,
        };
    }
}
