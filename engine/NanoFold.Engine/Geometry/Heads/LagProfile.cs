using System.Globalization;

namespace NanoFold.Engine.Geometry.Heads;

/// <summary>
/// Something summed by how far back it reaches, in bins whose ends double: lags 0, 1, 2, 3–4, 5–8, 9–16 … A bin is named by its last lag. Only rows that see all lags of
/// a bin, and one more, count for it: so the first key is in none, where sinks are.
/// </summary>
public sealed class LagProfile
{
    private readonly double[] _sums;
    private readonly double[] _shares;
    private readonly long[] _rows;

    /// <param name="time">T: the bins that end below T − 1 lags are kept.</param>
    public LagProfile(int time)
    {
        int bins = 0;
        while (LastLag(bins) < time - 1)
        {
            bins++;
        }

        _sums = new double[bins];
        _shares = new double[bins];
        _rows = new long[bins];
    }

    /// <summary>How many bins.</summary>
    public int Bins => _sums.Length;

    /// <summary>The first lag of a bin.</summary>
    public static int FirstLag(int bin) => bin < 2 ? bin : (1 << (bin - 2)) + 1;

    /// <summary>The last lag of a bin.</summary>
    public static int LastLag(int bin) => bin == 0 ? 0 : 1 << (bin - 1);

    /// <summary>The name of a bin: its last lag.</summary>
    public static string Name(int bin) => LastLag(bin).ToString(CultureInfo.InvariantCulture);

    /// <summary>Rows that counted for a bin.</summary>
    public long Rows(int bin) => _rows[bin];

    /// <summary>Mean over rows of the sum over the lags of a bin; null where no row sees it.</summary>
    public double? Sum(int bin) => _rows[bin] > 0 ? _sums[bin] / _rows[bin] : null;

    /// <summary>Mean over rows of what values that are the same for all places would give, where a row's add up to 1.</summary>
    public double? EvenShare(int bin) => _rows[bin] > 0 ? _shares[bin] / _rows[bin] : null;

    /// <summary>Mean over rows of the mean over the lags of a bin.</summary>
    public double? Mean(int bin) => Sum(bin) / (LastLag(bin) - FirstLag(bin) + 1);

    /// <summary>Adds the row of the place <c>values.Length − 1</c>: values of places 0, 1 … up to it, the last of lag 0.</summary>
    /// <param name="values">By place.</param>
    /// <param name="scale">Factor on them.</param>
    public void Add(ReadOnlySpan<float> values, double scale = 1)
    {
        int position = values.Length - 1;
        for (int bin = 0; bin < Bins && LastLag(bin) < position; bin++)
        {
            double sum = 0;
            for (int lag = FirstLag(bin); lag <= LastLag(bin); lag++)
            {
                sum += values[position - lag];
            }

            _sums[bin] += scale * sum;
            _shares[bin] += (LastLag(bin) - FirstLag(bin) + 1) / (double)(position + 1);
            _rows[bin]++;
        }
    }
}
