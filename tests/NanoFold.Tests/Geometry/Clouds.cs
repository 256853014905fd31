using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry;

/// <summary>Point clouds of known dimension, row-major.</summary>
internal static class Clouds
{
    public static float[] Gauss(int n, int d, ulong seed)
    {
        float[] points = new float[n * d];
        new GaussianSource(seed).FillNormal(points);
        return points;
    }

    public static float[] Cube(int n, int d, ulong seed)
    {
        GaussianSource random = new(seed);
        float[] points = new float[n * d];
        foreach (ref float value in points.AsSpan())
        {
            value = (float)random.NextUniform();
        }

        return points;
    }

    /// <summary>The sphere S^d in d + 1 coordinates.</summary>
    public static float[] Sphere(int n, int d, ulong seed)
    {
        float[] points = Gauss(n, d + 1, seed);
        for (int i = 0; i < n; i++)
        {
            Span<float> row = points.AsSpan(i * (d + 1), d + 1);
            double norm = 0;
            foreach (float value in row)
            {
                norm += (double)value * value;
            }

            foreach (ref float value in row)
            {
                value = (float)(value / Math.Sqrt(norm));
            }
        }

        return points;
    }

    public static float[] SwissRoll(int n, ulong seed) => Surface(n, seed, (u, v) =>
    {
        double t = 1.5 * Math.PI * (1 + (2 * u));
        return (t * Math.Cos(t), 21 * v, t * Math.Sin(t));
    });

    public static float[] Moebius(int n, ulong seed) => Surface(n, seed, (u, v) =>
    {
        double angle = 2 * Math.PI * u;
        double across = (2 * v) - 1;
        double radius = 1 + (across / 2 * Math.Cos(angle / 2));
        return (radius * Math.Cos(angle), radius * Math.Sin(angle), across / 2 * Math.Sin(angle / 2));
    });

    public static float[] Helix(int n, ulong seed) => Surface(n, seed, (u, _) =>
    {
        double angle = 4 * Math.PI * u;
        return (Math.Cos(angle), Math.Sin(angle), angle / 4);
    });

    /// <summary>Puts d coordinates first among <paramref name="width"/> and adds noise to all.</summary>
    public static float[] Embed(float[] points, int d, int width, double noise, ulong seed)
    {
        GaussianSource random = new(seed);
        int n = points.Length / d;
        float[] wide = new float[n * width];
        for (int i = 0; i < n; i++)
        {
            for (int c = 0; c < width; c++)
            {
                double value = c < d ? points[(i * d) + c] : 0;
                wide[(i * width) + c] = (float)(value + (noise == 0 ? 0 : noise * random.NextNormal()));
            }
        }

        return wide;
    }

    /// <summary>Rotates by a random orthogonal matrix, scales and shifts.</summary>
    public static float[] Move(float[] points, int d, double scale, double shift, ulong seed)
    {
        double[][] axes = Orthogonal(d, seed);
        float[] moved = new float[points.Length];
        for (int i = 0; i < points.Length / d; i++)
        {
            for (int c = 0; c < d; c++)
            {
                double sum = 0;
                for (int j = 0; j < d; j++)
                {
                    sum += axes[c][j] * points[(i * d) + j];
                }

                moved[(i * d) + c] = (float)((scale * sum) + (shift * (c + 1)));
            }
        }

        return moved;
    }

    // Gram–Schmidt on Gaussian rows.
    private static double[][] Orthogonal(int d, ulong seed)
    {
        GaussianSource random = new(seed);
        double[][] axes = new double[d][];
        for (int i = 0; i < d; i++)
        {
            double[] axis = new double[d];
            for (int c = 0; c < d; c++)
            {
                axis[c] = random.NextNormal();
            }

            for (int j = 0; j < i; j++)
            {
                double dot = axis.Zip(axes[j], (a, b) => a * b).Sum();
                axis = axis.Zip(axes[j], (a, b) => a - (dot * b)).ToArray();
            }

            double norm = Math.Sqrt(axis.Sum(a => a * a));
            axes[i] = axis.Select(a => a / norm).ToArray();
        }

        return axes;
    }

    private static float[] Surface(int n, ulong seed, Func<double, double, (double X, double Y, double Z)> map)
    {
        GaussianSource random = new(seed);
        float[] points = new float[n * 3];
        for (int i = 0; i < n; i++)
        {
            (double x, double y, double z) = map(random.NextUniform(), random.NextUniform());
            points[3 * i] = (float)x;
            points[(3 * i) + 1] = (float)y;
            points[(3 * i) + 2] = (float)z;
        }

        return points;
    }
}
