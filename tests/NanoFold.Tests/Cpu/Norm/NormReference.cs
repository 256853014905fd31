namespace NanoFold.Tests.Cpu.Norm;

/// <summary>Norms and their gradients by the full Jacobian of each row, in double precision: slow and independent of the kernel's shortcut.</summary>
internal sealed class NormReference
{
    public NormReference(double[] x, double[]? gain, double[]? bias, double[] dy, int width, double epsilon, bool centered)
    {
        Y = new double[x.Length];
        DX = new double[x.Length];
        DGain = new double[width];
        DBias = new double[width];
        for (int start = 0; start < x.Length; start += width)
        {
            double[] row = x[start..(start + width)];
            double mean = centered ? row.Average() : 0;
            double inverse = Math.Pow(row.Average(value => Math.Pow(value - mean, 2)) + epsilon, -0.5);
            LargestInverse = Math.Max(LargestInverse, inverse);
            for (int j = 0; j < width; j++)
            {
                double normal = (row[j] - mean) * inverse;
                Y[start + j] = normal * (gain?[j] ?? 1) + (bias?[j] ?? 0);
                DGain[j] += dy[start + j] * normal;
                DBias[j] += dy[start + j];
                double upstream = dy[start + j] * (gain?[j] ?? 1);
                double cube = inverse * inverse * inverse;
                for (int i = 0; i < width; i++)
                {
                    double dCentered = (i == j ? 1 : 0) - (centered ? 1.0 / width : 0);
                    double dInverse = -cube * (row[i] - mean) / width;
                    DX[start + i] += upstream * (dCentered * inverse + (row[j] - mean) * dInverse);
                }
            }
        }
    }

    public double[] Y { get; }

    public double[] DX { get; }

    public double[] DGain { get; }

    public double[] DBias { get; }

    public double LargestInverse { get; }
}
