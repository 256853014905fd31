using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Benchmarks;

/// <summary>The matrix products of a model.</summary>
public static class GemmCases
{
    /// <summary>
    /// The products of a model's linear layers for <paramref name="tokens"/> tokens: y = x Wᵀ, dX = dY W, dW = dYᵀ x of every distinct weight shape.
    /// </summary>
    public static IEnumerable<GemmCase> Of(ModelConfig model, int tokens)
    {
        model = model.Resolve();
        int queries = model.Heads * model.HeadDim, keys = model.KvHeads * model.HeadDim;
        (int Out, int In)[] weights =
        [
            (queries, model.Width), (keys, model.Width), (model.Width, queries),
            (model.Hidden, model.Width), (model.Width, model.Hidden), (model.Vocab, model.Width),
        ];
        foreach ((int n, int k) in weights.Where(w => w.Out > 0).Distinct())
        {
            yield return new GemmCase("forward", tokens, n, k, false, true);
            yield return new GemmCase("dX", tokens, k, n, false, false);
            yield return new GemmCase("dW", n, k, tokens, true, false);
        }
    }
}
