using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Model;

/// <summary>What writing one token must read from memory, by formula.</summary>
public static class DecodeCost
{
    /// <summary>
    /// Bytes per token in float32: every weight once for the whole batch (of the embedding a row, unless it is the head too; of experts those
    /// that are chosen) and the cache of the token's own sequence. Activations, which stay in caches, are not counted.
    /// </summary>
    /// <param name="model">Its vocabulary known.</param>
    /// <param name="keys">Tokens that it sees, its own included.</param>
    /// <param name="batch">Sequences that are written at once.</param>
    public static double BytesPerToken(ModelConfig model, int keys, int batch)
    {
        model = model.Resolve();
        CostModel cost = CostModel.Of(model);
        IReadOnlyList<LayerConfig> layers = model.LayerConfigs();
        long head = (long)model.Vocab * model.Width;
        double weights = cost.Mixer + cost.Norms + head + layers.Sum(layer => layer.FeedForward.ParametersRead(model, batch));
        // Of learned positions there is a row too.
        long rows = (model.Position == PositionKind.Learned ? 2 : 1) * model.Width;
        long cache = layers.Sum(layer => layer.Mixer.CacheBytes(model with { Context = Math.Min(keys, model.Context) }));
        return ((weights / batch) + rows) * sizeof(float) + cache;
    }
}
