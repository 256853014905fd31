using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Model;

/// <summary>What a model costs, by formula, before anything runs.</summary>
public sealed record CostModel
{
    /// <summary>Parameters of the token embedding and of learned positions.</summary>
    public required long Embedding { get; init; }

    /// <summary>Parameters of all mixers, QK-norm gains included.</summary>
    public required long Mixer { get; init; }

    /// <summary>Parameters of all feed-forwards, idle experts included.</summary>
    public required long FeedForward { get; init; }

    /// <summary>Parameters of the norms of the residual stream.</summary>
    public required long Norms { get; init; }

    /// <summary>Parameters of the head; 0 where it is tied to the embedding.</summary>
    public required long Head { get; init; }

    /// <summary>
    /// FLOPs per token, forward and backward: 6 · N_matmul + Σ_layers 12 · H · D · min(window, T); N_matmul counts every linear layer that
    /// a token passes, the head included, and no embedding.
    /// </summary>
    public required long FlopsPerToken { get; init; }

    /// <summary>The same with only those query-key pairs that the causal mask leaves, averaged over a sequence.</summary>
    public required double ExecutedFlopsPerToken { get; init; }

    /// <summary>Bytes that decoding keeps per sequence of full context, in float32.</summary>
    public required long CacheBytesPerSequence { get; init; }

    public long Parameters => Embedding + Mixer + FeedForward + Norms + Head;

    /// <summary>The cost of a model whose vocabulary is known.</summary>
    public static CostModel Of(ModelConfig model)
    {
        ModelConfig resolved = model.Resolve();
        IReadOnlyList<LayerConfig> layers = resolved.LayerConfigs();
        long table = (long)resolved.Vocab * resolved.Width;
        long feedForwardFlops = layers.Sum(layer => layer.FeedForward.FlopsPerToken(resolved));
        return new CostModel
        {
            Embedding = table + (resolved.Position == PositionKind.Learned ? (long)resolved.Context * resolved.Width : 0),
            Mixer = layers.Sum(layer => layer.Mixer.Parameters(resolved)),
            FeedForward = layers.Sum(layer => layer.FeedForward.Parameters(resolved)),
            Norms = ((2L * resolved.Layers) + 1) * resolved.Width * (resolved.Norm == NormKind.Layer ? 2 : 1),
            Head = resolved.Tied ? 0 : table,
            FlopsPerToken = (6 * table) + feedForwardFlops + layers.Sum(layer => layer.Mixer.FlopsPerToken(resolved)),
            ExecutedFlopsPerToken = (6 * table) + feedForwardFlops + layers.Sum(layer => layer.Mixer.ExecutedFlopsPerToken(resolved)),
            CacheBytesPerSequence = layers.Sum(layer => layer.Mixer.CacheBytes(resolved)),
        };
    }
}
