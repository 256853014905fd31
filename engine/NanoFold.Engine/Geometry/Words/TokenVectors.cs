using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Words;

/// <summary>A token that is near to a vector.</summary>
/// <param name="Token">Its number.</param>
/// <param name="Cosine">Of the angle between both.</param>
public readonly record struct NearToken(int Token, double Cosine);

/// <summary>
/// A vector for each token of a vocabulary, [V, C], from which the mean of all is taken off: without that the direction that all have in common makes every two near (Mu and Viswanath 2018).
/// Tokens without a vector, which a text does not have, are nobody's neighbors.
/// </summary>
public sealed class TokenVectors
{
    private readonly bool[] _has;

    /// <param name="values">[V, C].</param>
    /// <param name="width">C.</param>
    /// <param name="counts">How often each token was met, where rows are means over a text; null where every token has a row.</param>
    public TokenVectors(ReadOnlySpan<float> values, int width, ReadOnlySpan<int> counts = default)
    {
        int vocab = values.Length / width;
        (Width, Values, _has) = (width, values.ToArray(), new bool[vocab]);
        var mean = new float[width];
        for (int token = 0; token < vocab; token++)
        {
            _has[token] = counts.IsEmpty || counts[token] > 0;
            if (_has[token])
            {
                TensorPrimitives.Add(mean, Row(token), mean);
            }
        }

        Count = _has.Count(has => has);
        TensorPrimitives.Divide(mean, Math.Max(1, Count), mean);
        for (int token = 0; token < vocab; token++)
        {
            Span<float> row = Values.AsSpan(token * width, width);
            if (_has[token])
            {
                TensorPrimitives.Subtract(row, mean, row);
            }
            else
            {
                row.Clear();
            }
        }
    }

    /// <summary>C.</summary>
    public int Width { get; }

    /// <summary>Tokens that have a vector.</summary>
    public int Count { get; }

    /// <summary>[V, C], centered; 0 of tokens without a vector.</summary>
    public float[] Values { get; }

    /// <summary>Whether a token has a vector.</summary>
    public bool Has(int token) => _has[token];

    /// <summary>A token's vector.</summary>
    public ReadOnlySpan<float> Row(int token) => Values.AsSpan(token * Width, Width);

    /// <summary>The mean of the vectors of a word's tokens.</summary>
    public float[] Of(ReadOnlySpan<int> tokens)
    {
        var mean = new float[Width];
        foreach (int token in tokens)
        {
            TensorPrimitives.Add(mean, Row(token), mean);
        }

        TensorPrimitives.Divide(mean, Math.Max(1, tokens.Length), mean);
        return mean;
    }

    /// <summary>The nearest tokens by cosine, the nearest first; of two alike the one of the lower number.</summary>
    /// <param name="target">[C], centered.</param>
    /// <param name="count">How many.</param>
    /// <param name="without">Tokens that are left out.</param>
    public IReadOnlyList<NearToken> Nearest(ReadOnlySpan<float> target, int count, IReadOnlySet<int> without)
    {
        var all = new List<NearToken>(_has.Length);
        for (int token = 0; token < _has.Length; token++)
        {
            if (_has[token] && !without.Contains(token))
            {
                float cosine = TensorPrimitives.CosineSimilarity(Row(token), target);
                all.Add(new NearToken(token, float.IsNaN(cosine) ? 0 : cosine));
            }
        }

        return [.. all.OrderByDescending(one => one.Cosine).ThenBy(one => one.Token).Take(count)];
    }
}
