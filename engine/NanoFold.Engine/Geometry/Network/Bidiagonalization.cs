using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>
/// The largest singular values of a map A of which only products are known, by the bidiagonalization of Golub and Kahan (1965) with all vectors kept orthogonal: in turn it gives
/// a vector <see cref="Right"/> and takes A v, and gives <see cref="Left"/> and takes Aᵀ u. After n rounds, n the smaller side, it has all of them.
/// </summary>
internal sealed class Bidiagonalization
{
    // Far above what differences leave, of the largest value.
    private const double MostTear = 1e-2;

    // Below this share of the largest there is only rounding, and the map has no more directions.
    private readonly double _least;
    private readonly List<double[]> _rights = [];
    private readonly List<double[]> _lefts = [];
    private readonly List<double> _diagonal = [];
    private readonly List<double> _above = [];

    /// <param name="inputs">Length of v.</param>
    /// <param name="seed">Of the first v, uniform over all directions.</param>
    /// <param name="least">Relative error of a product.</param>
    public Bidiagonalization(int inputs, ulong seed, double least)
    {
        _least = least;
        var random = new GaussianSource(seed);
        double[] first = [.. Enumerable.Range(0, inputs).Select(_ => random.NextNormal())];
        TensorPrimitives.Divide(first, TensorPrimitives.Norm<double>(first), first);
        _rights.Add(first);
    }

    /// <summary>Whether there is nothing more to find: all directions were found, or <see cref="IsTorn"/>.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Whether u · A v and v · Aᵀ u differed: A is not the derivative of a smooth function there, such as where a choice of keys or experts flips within a difference.</summary>
    public bool IsTorn { get; private set; }

    /// <summary>v, a unit vector.</summary>
    public double[] Right => _rights[^1];

    /// <summary>u, a unit vector.</summary>
    public double[] Left => _lefts[^1];

    /// <summary>‖A v‖ of the first v: its mean square over draws is ‖A‖²_F over the length of v.</summary>
    public double FirstGain { get; private set; }

    private double Largest => Math.Max(_diagonal.DefaultIfEmpty().Max(), _above.DefaultIfEmpty().Max());

    /// <summary>Takes A v.</summary>
    public void TakeImage(double[] image)
    {
        if (IsDone)
        {
            return;
        }

        if (_lefts.Count == 0)
        {
            FirstGain = TensorPrimitives.Norm<double>(image);
        }

        Push(_lefts, _diagonal, image);
    }

    /// <summary>Takes Aᵀ u.</summary>
    public void TakeTransposed(double[] image)
    {
        if (IsDone)
        {
            return;
        }

        IsTorn = !(Math.Abs(TensorPrimitives.Dot<double>(Right, image) - _diagonal[^1]) <= MostTear * Largest);
        IsDone = IsTorn;
        if (!IsTorn)
        {
            Push(_rights, _above, image);
        }
    }

    /// <summary>The singular values found so far, largest first; once all directions were found, 0 stands for as many as there are.</summary>
    public double[] Values() => HasColumnMore ? [.. Solve().Values, 0] : Solve().Values;

    /// <summary>How far the largest value is from one of the map at most (the residual of its vectors).</summary>
    public double Residual()
    {
        (_, double[] last) = Solve();
        return last.Length > 0 && _above.Count >= _diagonal.Count && !IsDone ? _above[^1] * Math.Abs(last[0]) : 0;
    }

    // Where A v brought nothing new, v is in the span of what goes to 0 and of what was found: B has a column more than rows.
    private bool HasColumnMore => IsDone && _above.Count == _diagonal.Count;

    // Eigenvalues of B Bᵀ: B has the diagonal α and β above it, so that B Bᵀ is tridiagonal with α² + β² and β α. With the last elements of the eigenvectors.
    private (double[] Values, double[] Last) Solve()
    {
        int k = _diagonal.Count;
        if (k == 0)
        {
            return ([], []);
        }

        var gram = new double[k * k];
        for (int i = 0; i < k; i++)
        {
            double above = i < k - 1 || HasColumnMore ? _above[i] : 0;
            gram[(i * k) + i] = (_diagonal[i] * _diagonal[i]) + (above * above);
            if (i < k - 1)
            {
                gram[(i * k) + i + 1] = gram[((i + 1) * k) + i] = above * _diagonal[i + 1];
            }
        }

        (double[] values, double[] vectors) = SymmetricEigenvectors.Of(gram, k);
        return (Array.ConvertAll(values, value => Math.Sqrt(Math.Max(0, value))), [.. Enumerable.Range(0, k).Select(i => vectors[(i * k) + k - 1])]);
    }

    private void Push(List<double[]> vectors, List<double> lengths, double[] image)
    {
        double[] next = [.. image];
        // Twice is enough (Giraud and Langou 2002).
        for (int pass = 0; pass < 2; pass++)
        {
            foreach (double[] vector in vectors)
            {
                TensorPrimitives.MultiplyAdd(vector, -TensorPrimitives.Dot<double>(vector, next), next, next);
            }
        }

        double length = TensorPrimitives.Norm<double>(next);
        if (length <= _least * Math.Max(Largest, double.Epsilon) || !double.IsFinite(length))
        {
            IsDone = true;
            return;
        }

        lengths.Add(length);
        TensorPrimitives.Divide(next, length, next);
        vectors.Add(next);
    }
}
