using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>What measuring takes of memory.</summary>
internal static class MeasureMemory
{
    // Far more than measures of usual widths take, and within what arrays hold.
    private const double MostBytes = 16e9;

    /// <summary>Bytes of the measure that takes most: one is taken after the other.</summary>
    /// <exception cref="UserException">They are more than is supported.</exception>
    public static double Most(ProbeShape shape, IReadOnlyList<Measure> measures, int width)
    {
        if (measures.Count == 0)
        {
            return 0;
        }

        Measure largest = measures.MaxBy(measure => measure.Bytes(shape, width))!;
        double most = largest.Bytes(shape, width);
        return most <= MostBytes ? most : throw UserException.Usage(FormattableString.Invariant(
            $"geometry.measures: {largest.Kind} takes {most / 1e9:0.0} GB at model.width={width} and geometry.neighborTokens={shape.Neighbors}, and at most {MostBytes / 1e9:0} GB are supported; leave it out, or set geometry.enabled=false"));
    }
}
