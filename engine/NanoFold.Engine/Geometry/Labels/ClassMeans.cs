using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Labels;

/// <summary>The means of classes, [C, D].</summary>
/// <param name="Values">Row-major.</param>
/// <param name="Counts">Rows of each.</param>
internal sealed record ClassMeans(double[] Values, int[] Counts)
{
    /// <summary>The mean of a class, [D].</summary>
    public ReadOnlySpan<double> this[int c] => Values.AsSpan(c * Width, Width);

    private int Width => Values.Length / Counts.Length;

    public static ClassMeans Of(double[] rows, int d, int[] classes, int count, Func<int, bool> isTaken)
    {
        var means = new ClassMeans(new double[count * d], new int[count]);
        for (int i = 0; i < classes.Length; i++)
        {
            if (isTaken(i))
            {
                Span<double> mean = means.Values.AsSpan(classes[i] * d, d);
                TensorPrimitives.Add(mean, rows.AsSpan(i * d, d), mean);
                means.Counts[classes[i]]++;
            }
        }

        for (int c = 0; c < count; c++)
        {
            Span<double> mean = means.Values.AsSpan(c * d, d);
            TensorPrimitives.Divide(mean, Math.Max(1, means.Counts[c]), mean);
        }

        return means;
    }

    /// <summary>The class whose mean is nearest.</summary>
    public int Nearest(ReadOnlySpan<double> x)
    {
        int nearest = -1;
        double least = double.PositiveInfinity;
        for (int c = 0; c < Counts.Length; c++)
        {
            double distance = Counts[c] > 0 ? TensorPrimitives.Distance(x, this[c]) : double.PositiveInfinity;
            if (distance < least)
            {
                (nearest, least) = (c, distance);
            }
        }

        return nearest;
    }

    /// <summary>The means less their own plain mean, [C, D].</summary>
    public double[] Centered()
    {
        double[] centers = [.. Values], mean = new double[Width];
        for (int c = 0; c < Counts.Length; c++)
        {
            TensorPrimitives.Add(mean, this[c], mean);
        }

        TensorPrimitives.Divide(mean, Counts.Length, mean);
        for (int c = 0; c < Counts.Length; c++)
        {
            TensorPrimitives.Subtract(this[c], mean, centers.AsSpan(c * Width, Width));
        }

        return centers;
    }

    /// <summary>Mean ‖x − μ_c‖² of the rows of each class, [C].</summary>
    /// <param name="rows">[N, D].</param>
    /// <param name="classes">[N].</param>
    public double[] Variances(ReadOnlySpan<double> rows, ReadOnlySpan<int> classes)
    {
        var variances = new double[Counts.Length];
        for (int i = 0; i < classes.Length; i++)
        {
            variances[classes[i]] += SquaredDistance(rows.Slice(i * Width, Width), this[classes[i]]);
        }

        for (int c = 0; c < variances.Length; c++)
        {
            variances[c] /= Counts[c];
        }

        return variances;
    }

    public static double SquaredDistance(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double distance = TensorPrimitives.Distance(a, b);
        return distance * distance;
    }
}
