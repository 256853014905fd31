namespace NanoFold.Engine.FeedForward;

/// <summary>How a router turns its logits into scores of experts.</summary>
public enum RouterKind
{
    /// <summary>Probabilities: the softmax over all experts (Mixtral, arXiv 2401.04088). A loss keeps the experts balanced (Switch Transformer, arXiv 2101.03961).</summary>
    Softmax,

    /// <summary>A sigmoid for each expert (DeepSeek-V3, arXiv 2412.19437). A bias on the choice keeps the experts balanced, without a loss (arXiv 2408.15664).</summary>
    Sigmoid,
}
