using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Heads;

/// <summary>
/// The subspaces that heads write to: of each head's part of the output, W_O,h z_h, the participation ratio and the first principal directions over the tokens, centered;
/// of all parts together the participation ratio of their sum. Nothing of [N, C] is made: all follows from the second moments of z and the products of W_O's columns.
/// </summary>
public sealed class HeadOutputs
{
    private readonly double[] _moments; // [H·D, H·D]
    private readonly double[] _gram; // W_OᵀW_O, [H·D, H·D]
    private readonly float[] _output;
    private readonly int _depth;
    private readonly int _width;

    /// <param name="z">The heads' results <c>[N, H, D]</c>, before the output projection.</param>
    /// <param name="heads">H.</param>
    /// <param name="output">W_O <c>[C, H·D]</c>.</param>
    /// <param name="count">N.</param>
    public HeadOutputs(ReadOnlySpan<float> z, int heads, ReadOnlySpan<float> output, int count)
    {
        int inner = count > 0 ? z.Length / count : 0;
        if (heads < 1 || inner < 1 || inner * count != z.Length || inner % heads != 0 || output.Length % inner != 0)
        {
            throw new ArgumentException($"Head outputs: {z.Length} values of {count} tokens and {output.Length} weights are not of {heads} heads.");
        }

        (Heads, Count, _depth, _width) = (heads, count, inner / heads, output.Length / inner);
        var moments = new StreamingMoments(inner);
        moments.Add(z, count);
        bool isFinite = RowGuard.AllFinite(output);
        Status = moments.Status == GeometryStatus.Ok && !isFinite ? GeometryStatus.NotFinite : moments.Status;
        _output = output.ToArray();
        _moments = Status == GeometryStatus.Ok ? moments.Covariance() : [];
        _gram = Status == GeometryStatus.Ok ? Gram(output, inner) : [];
        if (Status == GeometryStatus.Ok && !(Trace(0, heads) > 0))
        {
            Status = GeometryStatus.ZeroVariance;
        }
    }

    /// <summary>Whether there are figures; ZeroVariance also where W_O is 0, as at the start of a run with zero initialization.</summary>
    public GeometryStatus Status { get; }

    /// <summary>H.</summary>
    public int Heads { get; }

    /// <summary>N.</summary>
    public int Count { get; }

    /// <summary>Participation ratio of one head's part; null where it does not vary.</summary>
    public double? Dimension(int head) => Participation(head, 1);

    /// <summary>Participation ratio of the sum of all parts: of what attention adds to the stream.</summary>
    public double? JointDimension() => Participation(0, Heads);

    /// <summary>Variance of one head's part, summed over its elements.</summary>
    public double Variance(int head) => Trace(head, 1);

    /// <summary>The first principal directions of one head's part, orthonormal rows <c>[K, C]</c>: at most as many as it has.</summary>
    public double[] Directions(int head, int most)
    {
        // Part = W z: with the covariance V Λ Vᵀ of z, F = W V √Λ has FᵀF's eigenvalues, and its left singular vectors are the directions.
        int d = _depth, at = head * d, inner = Heads * d;
        (double[] own, double[] ways) = SymmetricEigenvectors.Of(Block(_moments, at), d);
        double[] factors = new double[d * _width];
        for (int k = 0; k < d; k++)
        {
            double scale = Math.Sqrt(Math.Max(0, own[k]));
            ReadOnlySpan<double> vector = ways.AsSpan(k * d, d);
            for (int c = 0; c < _width && scale > 0; c++)
            {
                double sum = 0;
                for (int i = 0; i < d; i++)
                {
                    sum += _output[(c * inner) + at + i] * vector[i];
                }

                factors[(k * _width) + c] = scale * sum;
            }
        }

        (double[] values, double[] vectors) = SymmetricEigenvectors.Of(RowProducts.Of(factors, d, _width), d);
        int found = 0;
        while (found < Math.Min(most, d) && values[found] > 1e-12 * values[0])
        {
            found++;
        }

        double[] directions = new double[found * _width];
        for (int k = 0; k < found; k++)
        {
            Span<double> direction = directions.AsSpan(k * _width, _width);
            ReadOnlySpan<double> vector = vectors.AsSpan(k * d, d);
            for (int i = 0; i < d; i++)
            {
                TensorPrimitives.MultiplyAdd(factors.AsSpan(i * _width, _width), vector[i], direction, direction);
            }

            TensorPrimitives.Divide(direction, TensorPrimitives.Norm<double>(direction), direction);
        }

        return directions;
    }

    private double Trace(int first, int heads)
    {
        int inner = Heads * _depth, from = first * _depth, to = from + (heads * _depth);
        double sum = 0;
        for (int i = from; i < to; i++)
        {
            sum += TensorPrimitives.Dot<double>(_gram.AsSpan((i * inner) + from, to - from), _moments.AsSpan((i * inner) + from, to - from));
        }

        return sum;
    }

    // (tr C)²/tr(C²) of C = W S Wᵀ: tr C = tr(GS), tr(C²) = tr(GSGS).
    private double? Participation(int first, int heads)
    {
        int inner = Heads * _depth, from = first * _depth, n = heads * _depth;
        double[] product = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            Span<double> row = product.AsSpan(i * n, n);
            for (int k = 0; k < n; k++)
            {
                TensorPrimitives.MultiplyAdd(_moments.AsSpan(((from + k) * inner) + from, n), _gram[((from + i) * inner) + from + k], row, row);
            }
        }

        double trace = 0, squares = 0;
        for (int i = 0; i < n; i++)
        {
            trace += product[(i * n) + i];
            for (int j = 0; j < n; j++)
            {
                squares += product[(i * n) + j] * product[(j * n) + i];
            }
        }

        return trace > 0 && squares > 0 ? trace * trace / squares : null;
    }

    private double[] Block(double[] matrix, int at)
    {
        int inner = Heads * _depth;
        double[] block = new double[_depth * _depth];
        for (int i = 0; i < _depth; i++)
        {
            matrix.AsSpan(((at + i) * inner) + at, _depth).CopyTo(block.AsSpan(i * _depth));
        }

        return block;
    }

    private static double[] Gram(ReadOnlySpan<float> output, int inner)
    {
        double[] gram = new double[inner * inner], row = new double[inner];
        for (int at = 0; at < output.Length; at += inner)
        {
            TensorPrimitives.ConvertChecked(output.Slice(at, inner), row.AsSpan());
            for (int i = 0; i < inner; i++)
            {
                Span<double> line = gram.AsSpan(i * inner, inner);
                TensorPrimitives.MultiplyAdd(row, row[i], line, line);
            }
        }

        return gram;
    }
}
