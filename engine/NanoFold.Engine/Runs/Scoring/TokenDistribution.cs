using System.Numerics.Tensors;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>Reads <see cref="TokenScore"/>s off logits; sums in double.</summary>
/// <param name="vocab">V.</param>
internal sealed class TokenDistribution(int vocab)
{
    private readonly double[] _shifted = new double[vocab];
    private readonly double[] _powers = new double[vocab];

    /// <summary>The score of a token.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="token">The token that follows.</param>
    public TokenScore Score(ReadOnlySpan<float> logits, int token)
    {
        int largest = TensorPrimitives.IndexOfMax(logits);
        double top = logits[largest];
        TensorPrimitives.ConvertChecked<float, double>(logits, _shifted);
        TensorPrimitives.Subtract(_shifted, top, _shifted);
        TensorPrimitives.Exp<double>(_shifted, _powers);
        double sum = TensorPrimitives.Sum<double>(_powers), log = Math.Log(sum);
        int rank = 0;
        float own = logits[token];
        foreach (float logit in logits)
        {
            rank += logit > own ? 1 : 0;
        }

        return new TokenScore(token, log - _shifted[token], largest, 1 / sum, rank, log - (TensorPrimitives.Dot<double>(_powers, _shifted) / sum));
    }
}
