using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>What the softmax of attention takes in besides products of queries and keys. The default is nothing.</summary>
/// <param name="Decay">Running sums c of log decays [B, H, T], see <see cref="DecaySumsOp"/>, or none: scores get c_t − c_s more.</param>
/// <param name="SinkLogits">A score for each head that joins every row and has no value, [H], or none.</param>
public readonly record struct ScoreTerms(Tensor Decay, Tensor SinkLogits)
{
    /// <summary>c, at which scaled products level off, c · tanh(score / c), before anything is added; 0 for none. Not with decays.</summary>
    public double Cap { get; init; }

    public bool IsNone => Decay.IsNone && SinkLogits.IsNone && Cap == 0;

    /// <exception cref="ArgumentException">A shape does not fit the queries [B, T, H, D].</exception>
    internal void Check(string name, Tensor q)
    {
        bool fits = (Decay.IsNone || Decay.Layout.SameShape(Layout.Of(q[0], q[2], q[1]))) && (SinkLogits.IsNone || SinkLogits.Layout.SameShape(Layout.Of(q[2])));
        if (Cap < 0 || (Cap > 0 && !Decay.IsNone))
        {
            throw new ArgumentException($"{name}: a cap of {Cap} {(Cap < 0 ? "is below 0" : "does not go with decays")}");
        }

        if (!fits)
        {
            throw new ArgumentException($"{name}: decay {Decay} and sink logits {SinkLogits} for q {q}; expected [B, H, T] and [H]");
        }
    }
}
