using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Heads;

/// <summary>Sums up gradients that flowed back from single tokens, by how far they came.</summary>
internal sealed class JacobianByLag
{
    // Bins that fewer tokens reach are of others, and would bend a line through all.
    private const double LeastRows = 0.95;

    private readonly LagProfile _profile;
    private readonly Mean[] _lags;

    /// <param name="time">T.</param>
    /// <param name="width">C.</param>
    public JacobianByLag(int time, int width)
    {
        Width = width;
        _profile = new LagProfile(time);
        _lags = new Mean[time];
    }

    /// <summary>C.</summary>
    public int Width { get; }

    /// <summary>Adds the gradient of one token's v · y at places 0 … its own, <c>[t + 1, C]</c>.</summary>
    public void Add(ReadOnlySpan<float> gradient)
    {
        int count = gradient.Length / Width;
        var squares = new float[count];
        for (int place = 0; place < count; place++)
        {
            squares[place] = TensorPrimitives.SumOfSquares(gradient.Slice(place * Width, Width));
            // The first token is left out, as in the bins.
            _lags[count - 1 - place].Add(place > 0 ? squares[place] : null);
        }

        _profile.Add(squares, 1.0 / Width);
    }

    /// <summary>Writes the figures.</summary>
    public void Write(FigureWriter figures)
    {
        var lags = new List<double>();
        var gains = new List<double>();
        for (int bin = 0; bin < _profile.Bins; bin++)
        {
            int first = LagProfile.FirstLag(bin), last = LagProfile.LastLag(bin);
            string estimator = $"√(E‖Jᵀv‖²/C), lags {first} to {last}, position 0 out";
            GeometryStatus status = _profile.Rows(bin) > 0 ? GeometryStatus.Ok : GeometryStatus.TooFewPoints;
            figures.Add("gain." + LagProfile.Name(bin), _profile.Mean(bin) is { } mean ? Math.Sqrt(mean) : null, status, estimator, _profile.Rows(bin));
            if (bin > 0 && _profile.Rows(bin) >= LeastRows * _profile.Rows(0) && Log(first, last) is { } log)
            {
                lags.Add((first + last) / 2.0);
                gains.Add(Math.Exp(log));
            }
        }

        double? fades = Timescale.Fit([.. lags], [.. gains]);
        GeometryStatus fit = fades is null ? GeometryStatus.TooFewPoints : double.IsFinite(fades.Value) ? GeometryStatus.Ok : GeometryStatus.Degenerate;
        figures.Add("timescale", fades, fit, "τ of e^(−lag/τ), least squares on the logarithms of bins from lag 1 on that 95 % of the tokens reach, position 0 out", _lags.Sum(lag => lag.Count));
        if (figures.WantsArrays)
        {
            figures.Array("gainByLag", [_lags.Length], [.. _lags.Select(lag => (float)Math.Sqrt(lag.Value / Width ?? double.NaN))]);
        }
    }

    // Mean logarithm of the norm over the lags of a bin: of an exponential that at the bin's middle.
    private double? Log(int first, int last)
    {
        double sum = 0;
        for (int lag = first; lag <= last; lag++)
        {
            if (_lags[lag].Value is not > 0)
            {
                return null;
            }

            sum += 0.5 * Math.Log(_lags[lag].Value!.Value / Width);
        }

        return sum / (last - first + 1);
    }
}
