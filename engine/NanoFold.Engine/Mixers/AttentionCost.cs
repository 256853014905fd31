using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>Counts that the attention variants share, per layer.</summary>
internal static class AttentionCost
{
    /// <summary>Weights of the projections to queries, keys, values and of the output: C·HD + 2·C·GD + HD·C.</summary>
    public static long Weights(ModelShape model) => 2L * model.Width * (QueryWidth(model) + KeyWidth(model));

    /// <summary>The weights, their biases and the gains of QK-norm.</summary>
    public static long Parameters(ModelShape model)
        => Weights(model)
            + (model.Bias ? QueryWidth(model) + (2 * KeyWidth(model)) + model.Width : 0)
            + (model.QkNorm ? 2 * model.HeadDim : 0);

    /// <summary>H · D.</summary>
    public static long QueryWidth(ModelShape model) => (long)model.Heads * model.HeadDim;

    /// <summary>G · D.</summary>
    public static long KeyWidth(ModelShape model) => (long)model.KvHeads * model.HeadDim;

    /// <summary>FLOPs per token, forward and backward: the projections, and 12 · H · D for each of <paramref name="keys"/> attended to.</summary>
    public static double Flops(ModelShape model, double keys) => (6.0 * Weights(model)) + (12.0 * QueryWidth(model) * keys);

    /// <summary>Keys and values of <paramref name="positions"/> tokens in float32.</summary>
    public static long CacheBytes(ModelShape model, long positions) => 2 * sizeof(float) * KeyWidth(model) * positions;

    /// <summary>
    /// Keys that a query sees under a causal mask, averaged over the positions of a full context: all before it, or the last
    /// <paramref name="window"/> and the first <paramref name="sinks"/>.
    /// </summary>
    public static double MeanKeys(int context, int window, int sinks = 0)
    {
        long sum = 0;
        for (int t = 0; t < context; t++)
        {
            int recent = Math.Min(t + 1, window);
            sum += recent + Math.Min(sinks, t + 1 - recent);
        }

        return (double)sum / context;
    }
}
