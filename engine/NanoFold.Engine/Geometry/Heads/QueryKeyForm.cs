using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Heads;

/// <summary>
/// The bilinear form xᵀ M y of a head's scores, M = W_QᵀW_K [C, C] of rank D: how symmetric it is, and of what sign. A symmetric form with positive eigenvalues makes
/// tokens attend to what is like them, one with negative eigenvalues to what is unlike; an antisymmetric one orders them.
/// </summary>
public sealed record QueryKeyForm
{
    // Beside the largest eigenvalue, what is smaller than this is rounding of weights in single precision.
    private const double Negligible = 1e-6;

    /// <summary>NotFinite where a weight is not finite, ZeroVariance where M is 0.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>‖(M + Mᵀ)/2‖²_F ÷ ‖M‖²_F: 1 symmetric, 0 antisymmetric, about 1/2 for independent matrices.</summary>
    public double? SymmetricShare { get; init; }

    /// <summary>Positive eigenvalues of (M + Mᵀ)/2, of at most 2D that are not 0.</summary>
    public int Positive { get; init; }

    /// <summary>Negative ones.</summary>
    public int Negative { get; init; }

    /// <summary>Σ λ² of the positive eigenvalues ÷ Σ λ² of all: 1 attends to the like, 0 to the unlike. Null where the symmetric part is 0.</summary>
    public double? PositiveShare { get; init; }

    /// <summary>tr M ÷ Σ |λ| of (M + Mᵀ)/2, between −1 and 1. Null where that part is 0.</summary>
    public double? TraceShare { get; init; }

    /// <summary>Measures one head.</summary>
    /// <param name="query">W_Q <c>[D, C]</c>.</param>
    /// <param name="key">W_K <c>[D, C]</c>.</param>
    /// <param name="width">C.</param>
    public static QueryKeyForm Measure(ReadOnlySpan<double> query, ReadOnlySpan<double> key, int width)
    {
        if (query.Length != key.Length || width < 1 || query.Length % width != 0 || query.IsEmpty)
        {
            throw new ArgumentException($"Query-key form: {query.Length} and {key.Length} values are not two matrices of rows of {width}.");
        }

        if (!TensorPrimitives.IsFiniteAll(query) || !TensorPrimitives.IsFiniteAll(key))
        {
            return new QueryKeyForm { Status = GeometryStatus.NotFinite };
        }

        // Of the Gram matrix of all 2D rows: M is never made.
        int d = query.Length / width, n = 2 * d;
        double[] rows = [.. query, .. key], gram = RowProducts.Of(rows, n, width);
        double squares = 0, crossed = 0, trace = 0;
        for (int i = 0; i < d; i++)
        {
            trace += gram[(i * n) + d + i];
            for (int j = 0; j < d; j++)
            {
                squares += gram[(i * n) + j] * gram[((d + i) * n) + d + j]; // ‖M‖² = tr(QQᵀKKᵀ)
                crossed += gram[(i * n) + d + j] * gram[(j * n) + d + i]; // tr(M²) = tr(KQᵀKQᵀ)
            }
        }

        if (squares <= 0)
        {
            return new QueryKeyForm { Status = GeometryStatus.ZeroVariance };
        }

        double[] eigenvalues = Eigenvalues(gram, d);
        double largest = eigenvalues.Max(Math.Abs), positive = 0, all = 0, sizes = 0;
        int above = 0, below = 0;
        foreach (double value in eigenvalues)
        {
            bool counts = Math.Abs(value) > Negligible * largest && value * value > 1e-14 * squares;
            above += counts && value > 0 ? 1 : 0;
            below += counts && value < 0 ? 1 : 0;
            positive += counts && value > 0 ? value * value : 0;
            all += counts ? value * value : 0;
            sizes += counts ? Math.Abs(value) : 0;
        }

        return new QueryKeyForm
        {
            Status = GeometryStatus.Ok,
            SymmetricShare = Math.Clamp((squares + crossed) / (2 * squares), 0, 1),
            Positive = above,
            Negative = below,
            PositiveShare = all > 0 ? positive / all : null,
            TraceShare = sizes > 0 ? trace / sizes : null,
        };
    }

    /// <summary>What <see cref="SymmetricShare"/> is on average for random matrices of independent elements: 1/2 + 1/(2C).</summary>
    public static double SymmetricShareByChance(int width) => 0.5 + (0.5 / width);

    // (M + Mᵀ)/2 = Rᵀ (J/2) R with R = [Q; K] and J the swap of both halves. With RRᵀ = F Fᵀ its eigenvalues other than 0 are those of Fᵀ (J/2) F.
    private static double[] Eigenvalues(double[] gram, int d)
    {
        List<double[]> factors = Factors(gram, 2 * d);
        int rank = factors.Count;
        double[] form = new double[rank * rank];
        for (int i = 0; i < rank; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                ReadOnlySpan<double> a = factors[i], b = factors[j];
                form[(i * rank) + j] = form[(j * rank) + i] = (TensorPrimitives.Dot(a[..d], b[d..]) + TensorPrimitives.Dot(a[d..], b[..d])) / 2;
            }
        }

        return SymmetricEigenvalues.Of(form, rank);
    }

    // The columns of F by Cholesky's method, the largest element of the diagonal first: as many as the matrix has independent rows.
    private static List<double[]> Factors(double[] gram, int n)
    {
        double[] left = new double[n];
        for (int i = 0; i < n; i++)
        {
            left[i] = gram[(i * n) + i];
        }

        double least = 1e-13 * TensorPrimitives.Max<double>(left);
        List<double[]> columns = [];
        for (int pivot; columns.Count < n && left[pivot = TensorPrimitives.IndexOfMax<double>(left)] > least;)
        {
            double[] column = gram.AsSpan(pivot * n, n).ToArray();
            foreach (double[] other in columns)
            {
                TensorPrimitives.MultiplyAdd(other, -other[pivot], column, column);
            }

            TensorPrimitives.Divide(column, Math.Sqrt(left[pivot]), column);
            for (int i = 0; i < n; i++)
            {
                left[i] -= column[i] * column[i];
            }

            left[pivot] = 0;
            columns.Add(column);
        }

        return columns;
    }
}
