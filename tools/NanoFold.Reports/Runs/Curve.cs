namespace NanoFold.Reports.Runs;

/// <summary>A value while a run goes on.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="Flops">Spent on training.</param>
/// <param name="Seconds">Of the clock on the wall.</param>
/// <param name="Value">The value.</param>
internal readonly record struct CurvePoint(double Step, double Tokens, double Flops, double Seconds, double Value);

/// <summary>How a value went.</summary>
internal sealed record Curve(IReadOnlyList<CurvePoint> Points)
{
    /// <summary>
    /// A curve of at most <paramref name="most"/> points: each is the mean of as many neighbors, and stands where the last of them does. A page has room for no more, and a screen neither.
    /// </summary>
    public Curve Thinned(int most)
    {
        int size = (Points.Count + most - 1) / most;
        return size <= 1 ? this : new Curve([.. Points.Chunk(size).Select(chunk => chunk[^1] with { Value = chunk.Average(point => point.Value) })]);
    }
}
