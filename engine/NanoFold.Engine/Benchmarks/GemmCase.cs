using NanoFold.Engine.Model;

namespace NanoFold.Engine.Benchmarks;

/// <summary>One matrix product y [m, n] = op(a) · op(b) of inner length k.</summary>
/// <param name="Name">Where it comes from: <c>forward</c>, <c>dX</c>, <c>dW</c>, <c>cube</c>, <c>given</c>.</param>
public sealed record GemmCase(string Name, int M, int N, int K, bool TransposeA, bool TransposeB)
{
    public double Flops => 2.0 * M * N * K;

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
