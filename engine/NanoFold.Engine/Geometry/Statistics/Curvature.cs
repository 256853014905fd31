using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>
/// Mean angle between successive steps of trajectories, v_t = x_{t+1} − x_t (Hosseini and Fedorenko 2023), over tokens
/// or over layers. A line gives 0°, a random walk in many dimensions 90°, independent points 120°.
/// </summary>
public sealed record Curvature
{
    /// <summary>TooFewPoints without a pair of steps, ZeroVariance when no step moves, NotFinite when a point is not finite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Angles in the mean.</summary>
    public required long Angles { get; init; }

    /// <summary>Pairs of steps left out because one of them does not move.</summary>
    public long Skipped { get; init; }

    /// <summary>Mean angle in degrees; null when <see cref="Status"/> is not Ok.</summary>
    public double? Degrees { get; init; }

    /// <summary>Measures trajectories of equal length.</summary>
    /// <param name="points"><c>[S, T, D]</c>: S trajectories of T points, one after another.</param>
    /// <param name="time">T: positions in a sequence, or layers.</param>
    /// <param name="d">D.</param>
    /// <param name="from">The first point used of each trajectory: 1 leaves out position 0.</param>
    public static Curvature Measure(ReadOnlySpan<float> points, int time, int d, int from = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(d, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        long size = (long)time * d;
        if (points.Length % size != 0)
        {
            throw new ArgumentException($"Curvature: {points.Length} values are not whole trajectories of {time} × {d}.");
        }

        if (!RowGuard.AllFinite(points))
        {
            return new Curvature { Status = GeometryStatus.NotFinite, Angles = 0 };
        }

        double sum = 0;
        long angles = 0;
        long skipped = 0;
        double[] previous = new double[d];
        double[] step = new double[d];
        double[] other = new double[d];
        for (long start = 0; start < points.Length; start += size)
        {
            bool moved = false;
            for (int t = from; t < time - 1; t++)
            {
                ReadOnlySpan<float> here = points.Slice((int)start + (t * d), 2 * d);
                bool moves = Direction(here[..d], here[d..], step, other);
                if (t > from && moves && moved)
                {
                    sum += Angle(previous, step, other);
                    angles++;
                }
                else if (t > from)
                {
                    skipped++;
                }

                (previous, step) = (step, previous);
                moved = moves;
            }
        }

        GeometryStatus status = angles > 0 ? GeometryStatus.Ok
            : skipped > 0 ? GeometryStatus.ZeroVariance
            : GeometryStatus.TooFewPoints;
        return new Curvature
        {
            Status = status,
            Angles = angles,
            Skipped = skipped,
            Degrees = angles > 0 ? sum / angles * (180 / Math.PI) : null,
        };
    }

    /// <summary>
    /// The angles themselves, in degrees, of points that are next to each other in trajectories of equal length: at a point that between the step to it and the step from
    /// it, NaN at ends and where one of both does not move.
    /// </summary>
    /// <param name="points"><c>[S, T, D]</c>, finite.</param>
    /// <param name="time">T.</param>
    /// <param name="d">D.</param>
    /// <returns><c>[S, T]</c>.</returns>
    public static float[] ByPlace(ReadOnlySpan<float> points, int time, int d)
    {
        float[] angles = new float[points.Length / d];
        double[] before = new double[d], after = new double[d], scratch = new double[d];
        for (int i = 0; i < angles.Length; i++)
        {
            int t = i % time;
            angles[i] = t > 0 && t < time - 1
                && Direction(points.Slice((i - 1) * d, d), points.Slice(i * d, d), before, scratch) && Direction(points.Slice(i * d, d), points.Slice((i + 1) * d, d), after, scratch)
                ? (float)(Angle(before, after, scratch) * (180 / Math.PI)) : float.NaN;
        }

        return angles;
    }

    private static bool Direction(ReadOnlySpan<float> from, ReadOnlySpan<float> to, double[] step, double[] scratch)
    {
        TensorPrimitives.ConvertChecked<float, double>(from, scratch);
        TensorPrimitives.ConvertChecked<float, double>(to, step);
        TensorPrimitives.Subtract<double>(step, scratch, step);
        double norm = TensorPrimitives.Norm<double>(step);
        if (norm > 0)
        {
            TensorPrimitives.Divide(step, norm, step);
        }

        return norm > 0;
    }

    // 2·atan2(|u − v|, |u + v|) keeps small angles, which arccos of a cosine near 1 loses.
    private static double Angle(double[] u, double[] v, double[] scratch)
    {
        TensorPrimitives.Subtract<double>(u, v, scratch);
        double apart = TensorPrimitives.Norm<double>(scratch);
        TensorPrimitives.Add<double>(u, v, scratch);
        return 2 * Math.Atan2(apart, TensorPrimitives.Norm<double>(scratch));
    }
}
