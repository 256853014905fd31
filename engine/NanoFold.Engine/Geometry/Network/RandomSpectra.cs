namespace NanoFold.Engine.Geometry.Network;

/// <summary>What random matrices and random subspaces give, to hold spectra against.</summary>
public static class RandomSpectra
{
    private const int Steps = 4096;

    /// <summary>
    /// The share of the singular values of a large M × N matrix of independent Gaussians that it takes for a share of Σσ²: the largest of a density
    /// √((b − x)(x − a))/(2πβx) of σ²/max(M, N) between a and b = (1 ∓ √β)², β = min(M, N)/max(M, N) (Marchenko and Pastur 1967).
    /// </summary>
    /// <param name="aspect">β, in (0, 1].</param>
    /// <param name="share">In (0, 1).</param>
    public static double CountShare(double aspect, double share)
    {
        // With x = 1 + β + 2√β cos θ the density times x is 2 sin²θ/π dθ, so that it has no poles. From θ = 0, the largest, on.
        double mass = 0, count = 0;
        for (int i = 0; i < Steps; i++)
        {
            double theta = (i + 0.5) * Math.PI / Steps;
            (double sine, double cosine) = Math.SinCos(theta);
            double weight = 2 * sine * sine / Steps, x = 1 + aspect + (2 * Math.Sqrt(aspect) * cosine);
            if (mass + weight >= share)
            {
                return count + (weight / x * ((share - mass) / weight));
            }

            mass += weight;
            count += weight / x;
        }

        return 1;
    }

    /// <summary>Mean and standard deviation of the share of Σλ that a random k-dimensional subspace of D dimensions holds.</summary>
    /// <param name="k">k.</param>
    /// <param name="eigenvalues">λ, <c>[D]</c>, D above 1.</param>
    public static (double Mean, double Deviation) SubspaceShare(int k, ReadOnlySpan<double> eigenvalues)
    {
        double all = 0, squares = 0, d = eigenvalues.Length;
        foreach (double value in eigenvalues)
        {
            all += value;
            squares += value * value;
        }

        // The diagonal of a random projection: Beta(k/2, (D − k)/2) each, of a constant sum.
        double variance = 2 * k * (d - k) / (d * d * (d + 2)) * Math.Max(0, (d * squares / (all * all)) - 1) / (d - 1);
        return (k / d, Math.Sqrt(variance));
    }
}
