namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>
/// Fits a law by the least Huber loss of log L̂ − log L, as approach 3 of arXiv 2203.15556: Levenberg–Marquardt on (log A, log B, log E, log α, log β), weights 1 within δ and
/// δ/|r| outside, from many starts, of which the best counts. N and D are measured from their geometric means, so that A does not move with α.
/// </summary>
/// <param name="points">N and D of them are what is fitted over.</param>
/// <param name="delta">δ: residuals beyond it count by their size, no longer by their square.</param>
internal sealed class LawFitter(IReadOnlyList<ScalingPoint> points, double delta)
{
    private const int Parameters = 5, MostRounds = 100;

    // α and β beyond these are told apart from nothing by no grid that can be trained.
    private const double LeastExponent = 1e-3, MostExponent = 10;

    private static readonly double[] s_exponents = [0.15, 0.4, 1];
    private static readonly double[] s_shares = [0.05, 0.5, 0.8, 0.95];

    private readonly double _meanN = points.Average(p => Math.Log(p.Parameters));
    private readonly double _meanD = points.Average(p => Math.Log(p.Tokens));
    private readonly double[] _n = [.. points.Select(p => Math.Log(p.Parameters))];
    private readonly double[] _d = [.. points.Select(p => Math.Log(p.Tokens))];

    /// <summary>The best of all starts.</summary>
    /// <param name="losses">L of each point.</param>
    public (ScalingLaw Law, double Error) Fit(IReadOnlyList<double> losses) => Fit(losses, Starts(losses));

    /// <summary>From a law that is near, and some starts besides.</summary>
    public ScalingLaw FitFrom(ScalingLaw near, IReadOnlyList<double> losses)
    {
        double[][] some = [.. Starts(losses).Where((_, i) => i % 16 == 6)];
        return Fit(losses, [ThetaOf(near), .. some]).Law;
    }

    private (ScalingLaw Law, double Error) Fit(IReadOnlyList<double> losses, IEnumerable<double[]> starts)
    {
        double[] logs = [.. losses.Select(loss => Math.Log(loss))];
        (double[]? best, double least) = (null, double.PositiveInfinity);
        foreach (double[] start in starts)
        {
            // Squares first: far from the least the corners of the Huber loss lead astray.
            double[] theta = Descend(Descend(start, logs, double.PositiveInfinity).Theta, logs, delta).Theta;
            double error = Error(theta, logs, delta);
            if (error < least)
            {
                (best, least) = (theta, error);
            }
        }

        return (LawOf(best ?? throw new InvalidOperationException("scaling: no start has a finite error")), least);
    }

    // For each α, β and share of E in the smallest loss, A and B by least squares.
    private IEnumerable<double[]> Starts(IReadOnlyList<double> losses)
    {
        double smallest = losses.Min();
        foreach (double alpha in s_exponents)
        {
            foreach (double beta in s_exponents)
            {
                foreach (double share in s_shares)
                {
                    double e = share * smallest, xx = 0, xy = 0, yy = 0, xl = 0, yl = 0;
                    for (int i = 0; i < losses.Count; i++)
                    {
                        double x = Math.Exp(-alpha * (_n[i] - _meanN)), y = Math.Exp(-beta * (_d[i] - _meanD)), rest = losses[i] - e;
                        (xx, xy, yy, xl, yl) = (xx + x * x, xy + x * y, yy + y * y, xl + x * rest, yl + y * rest);
                    }

                    double determinant = xx * yy - xy * xy, least = 1e-3 * (1 - share) * smallest;
                    double a = determinant > 0 ? (xl * yy - yl * xy) / determinant : 0, b = determinant > 0 ? (yl * xx - xl * xy) / determinant : 0;
                    yield return [Math.Log(Math.Max(a, least)), Math.Log(Math.Max(b, least)), Math.Log(e), Math.Log(alpha), Math.Log(beta)];
                }
            }
        }
    }

    private (double[] Theta, double Error) Descend(double[] start, double[] logs, double limit)
    {
        var theta = (double[])start.Clone();
        double error = Error(theta, logs, limit), damping = 1e-3;
        var normal = new double[Parameters, Parameters];
        var slope = new double[Parameters];
        Span<double> row = stackalloc double[Parameters];
        for (int round = 0; round < MostRounds && damping < 1e12; round++)
        {
            Array.Clear(normal);
            Array.Clear(slope);
            for (int i = 0; i < logs.Length; i++)
            {
                double residual = Predict(theta, i, row) - logs[i], weight = Math.Abs(residual) <= limit ? 1 : limit / Math.Abs(residual);
                for (int j = 0; j < Parameters; j++)
                {
                    slope[j] += weight * residual * row[j];
                    for (int k = 0; k < Parameters; k++)
                    {
                        normal[j, k] += weight * row[j] * row[k];
                    }
                }
            }

            bool isBetter = false;
            while (!isBetter && damping < 1e12)
            {
                double[] step = Solve(normal, slope, damping);
                double[] next = [.. theta.Zip(step, (t, s) => t - Math.Clamp(s, -1, 1))];
                next[3] = Math.Clamp(next[3], Math.Log(LeastExponent), Math.Log(MostExponent));
                next[4] = Math.Clamp(next[4], Math.Log(LeastExponent), Math.Log(MostExponent));
                double found = Error(next, logs, limit);
                isBetter = found < error;
                if (isBetter)
                {
                    bool isDone = error - found <= 1e-10 * error;
                    (theta, error, damping) = (next, found, Math.Max(1e-9, damping / 5));
                    if (isDone)
                    {
                        return (theta, error);
                    }
                }
                else
                {
                    damping *= 4;
                }
            }
        }

        return (theta, error);
    }

    private double Error(double[] theta, double[] logs, double limit)
    {
        Span<double> row = stackalloc double[Parameters];
        double sum = 0;
        for (int i = 0; i < logs.Length; i++)
        {
            double size = Math.Abs(Predict(theta, i, row) - logs[i]);
            sum += size <= limit ? size * size / 2 : limit * (size - limit / 2);
        }

        return double.IsNaN(sum) ? double.PositiveInfinity : sum;
    }

    // log L̂ of a point, and its derivatives: each term's share of L̂ times that of its logarithm.
    private double Predict(double[] theta, int point, Span<double> row)
    {
        double alpha = Math.Exp(theta[3]), beta = Math.Exp(theta[4]), n = _n[point] - _meanN, d = _d[point] - _meanD;
        double u = theta[0] - alpha * n, v = theta[1] - beta * d, w = theta[2], top = Math.Max(u, Math.Max(v, w));
        (double a, double b, double e) = (Math.Exp(u - top), Math.Exp(v - top), Math.Exp(w - top));
        double sum = a + b + e;
        (row[0], row[1], row[2]) = (a / sum, b / sum, e / sum);
        (row[3], row[4]) = (-row[0] * alpha * n, -row[1] * beta * d);
        return top + Math.Log(sum);
    }

    // (M + damping · diag M) x = y, M symmetric and positive, by Cholesky.
    private static double[] Solve(double[,] m, double[] y, double damping)
    {
        var root = new double[Parameters, Parameters];
        for (int i = 0; i < Parameters; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double sum = m[i, j] + (i == j ? damping * m[i, i] + 1e-15 : 0);
                for (int k = 0; k < j; k++)
                {
                    sum -= root[i, k] * root[j, k];
                }

                root[i, j] = i == j ? Math.Sqrt(Math.Max(sum, 1e-30)) : sum / root[j, j];
            }
        }

        var x = (double[])y.Clone();
        for (int i = 0; i < Parameters; i++)
        {
            for (int k = 0; k < i; k++)
            {
                x[i] -= root[i, k] * x[k];
            }

            x[i] /= root[i, i];
        }

        for (int i = Parameters - 1; i >= 0; i--)
        {
            for (int k = i + 1; k < Parameters; k++)
            {
                x[i] -= root[k, i] * x[k];
            }

            x[i] /= root[i, i];
        }

        return x;
    }

    private ScalingLaw LawOf(double[] theta)
    {
        double alpha = Math.Exp(theta[3]), beta = Math.Exp(theta[4]);
        return new ScalingLaw(Math.Exp(theta[2]), Math.Exp(theta[0] + alpha * _meanN), alpha, Math.Exp(theta[1] + beta * _meanD), beta);
    }

    private double[] ThetaOf(ScalingLaw law) =>
    [
        Math.Log(law.A) - law.Alpha * _meanN, Math.Log(law.B) - law.Beta * _meanD, Math.Log(Math.Max(law.E, double.Epsilon)), Math.Log(law.Alpha), Math.Log(law.Beta),
    ];
}
