namespace NanoFold.Reports.Geometry;

/// <summary>A figure of every layer that has a chart of its own.</summary>
/// <param name="Measure">The kind of measure.</param>
/// <param name="Figure">Its name; <c>NAME.*</c> for one with a number after it, which is the axis then.</param>
/// <param name="Title">What it is, in words.</param>
/// <param name="Reading">A sentence on what the chart shows and how it is read.</param>
internal sealed record Quantity(string Measure, string Figure, string Title, string Reading)
{
    /// <summary>Straight lines for comparison, with what they are.</summary>
    public IReadOnlyList<(string Name, double Value)> References { get; init; } = [];

    /// <summary>What the numbers after the name are; null where there are none.</summary>
    public string? Over { get; init; }
}

/// <summary>Charts of one section.</summary>
/// <param name="Title">Of the section.</param>
/// <param name="Text">What it shows.</param>
/// <param name="All">In the order in which they are shown.</param>
internal sealed record QuantityGroup(string Title, string Text, IReadOnlyList<Quantity> All);

/// <summary>What the page of a run says of its geometry, in the order in which it does. A measure that is not named here is in the charts of all measures.</summary>
internal static class Quantities
{
    private static readonly (string Name, double Value)[] s_angles = [("line, 0°", 0), ("random walk, 90°", 90), ("independent points, 120°", 120)];

    public static IReadOnlyList<QuantityGroup> All { get; } =
    [
        new("Dimension and ranks", "How many directions the tokens' values fill after every block. Neighbors see low dimensions only, so each estimate stands beside the Gaussian that gives the same; ranks are of the covariance.",
        [
            new("twonn", "dimension", "TwoNN dimension", "Intrinsic dimension of the cloud after each block; the broken line is the Gaussian's dimension that would read so. A hunch in the middle is usual in trained models, a flat line in untrained ones."),
            new("levina-bickel", "dimension", "Levina–Bickel dimension", "The same by maximum likelihood over more neighbors. Where it is far below TwoNN, the smallest scale is noise."),
            new("correlation", "dimension", "Correlation dimension", "How fast pairs become more as the radius grows; dense regions weigh most."),
            new("gride", "dimension.*", "Dimension by scale", "One line a layer, neighbors of higher rank to the right. A line that falls is noise of many dimensions over fewer.") { Over = "rank of the neighbor" },
            new("spectrum", "participationRatio", "Participation ratio", "About how many principal directions hold the variance; small where a few hold most of it."),
            new("spectrum", "erankEig", "Effective rank", "Directions that count by the entropy of the spectrum: more than the participation ratio where the tail is long."),
            new("decimation", "dimension.*", "Dimension by number of tokens", "TwoNN on fewer and fewer tokens. A level part is the dimension at that scale; what still rises with more tokens is not yet seen whole.") { Over = "tokens" },
            new("dimension-bins", "dimension.*", "Dimension by bin", "TwoNN of tokens early to late in their context, one line a layer.") { Over = "bin" },
        ]),
        new("Norms and updates", "How long the tokens' values are, and what each half of a block adds.",
        [
            new("norms", "normWithoutFirst", "Norm", "Mean length of the residual stream, position 0 left out. It usually grows with depth: each block adds."),
            new("updates", "mixerShare", "Share of the mixer", "Length of what the mixer adds over the length of what it is added to. Small: the block changes little."),
            new("updates", "feedForwardShare", "Share of the feed-forward", "The same of the feed-forward."),
            new("updates", "mixerNormGrowth", "Norm growth by the mixer", "How much longer the stream is after the mixer. 1 is unchanged.") { References = [("unchanged", 1)] },
            new("updates", "feedForwardNormGrowth", "Norm growth by the feed-forward", "The same of the feed-forward.") { References = [("unchanged", 1)] },
            new("updates", "feedForwardCosine", "Direction of the feed-forward", "Cosine of the update with the stream: above 0 it makes it longer, below 0 it erases.") { References = [("at right angles", 0)] },
            new("cosines", "meanCosineWithoutFirst", "Mean cosine of two tokens", "0 where tokens point everywhere, 1 where all point the same way (anisotropy)."),
            new("spectrum", "firstEigenvalueShare", "Share of the first direction", "Variance along the first principal direction; near 1 the cloud is a line."),
            new("tangents", "mixerNormalShare", "Mixer's update out of the cloud", "Share of the update that leaves the span of a token's neighbors; the broken line is a random span. Below it, updates go along the cloud."),
            new("tangents", "feedForwardNormalShare", "Feed-forward's update out of the cloud", "The same of the feed-forward."),
        ]),
        new("Curvature", "Angles between successive steps: over tokens of a text, and of one token from layer to layer.",
        [
            new("token-curvature", "degrees", "Curvature over tokens", "Mean angle between the steps from token to token, beside a straight line, a random walk and independent points. It falls with depth where the model straightens text.") { References = s_angles },
            new("layer-curvature", "degrees.*", "Curvature over layers", "The same angle of one token's way between a block's step and the next one's.") { Over = "block", References = s_angles },
        ]),
        new("Attention", "Where attention goes. Position 0 often takes mass that means nothing, so figures without it stand beside.",
        [
            new("attention", "attentionEntropyShare", "Evenness of attention", "Entropy of a row over ln of its keys: 1 even, 0 on one key."),
            new("attention", "firstTokenMassWithoutFirst", "Mass on the first token", "The sink: mean weight that later tokens give to position 0."),
            new("attention", "sinkHeadShare", "Share of heads with a sink", "Heads that give position 0 more than the threshold."),
            new("attention-graph", "keysFor90", "Keys for 90 % of the mass", "Fewest keys that hold nine tenths of a row; few: sharp attention."),
            new("attention-graph", "effectiveRank", "Effective rank of patterns", "1 where all rows are the same, the window's length where each looks elsewhere."),
            new("attended-neighbors", "attendedNear", "Attended keys that are near", "Share of the keys attended to most that are among the nearest in the stream; the broken line is chance."),
            new("attention-lags", "mass.*", "Attention by distance", "Mass on keys so many tokens back, a line a layer.") { Over = "tokens back, up to" },
            new("heads", "jointOverSum", "Heads that share directions", "Dimension of all heads' outputs together over the sum of each: below 1 they write into the same directions."),
        ]),
        new("Gates, experts, streams", "What opens, which expert is taken, and how several residual streams mix.",
        [
            new("gates", "gateMean", "Mean of gates", "0 closed, 1 open."),
            new("gates", "gateClosedShare", "Closed gates", "Share of gates below a tenth."),
            new("experts", "expertLoadEntropyShare", "Evenness of experts' load", "1 where all experts are taken alike, 0 where one is.") { References = [("even", 1)] },
            new("expert-purity", "purity.token", "Experts know tokens", "Information that the expert says of the token, over what there is to say, bias taken off."),
            new("streams", "streamCosine", "Likeness of streams", "Mean cosine of residual streams: near 1 they say the same."),
            new("stream-mixing", "mixingForwardGain", "Gain of the mixing", "Largest factor by which all mixings up to the block lengthen a stream."),
        ]),
        new("Classes and probes", "How well classes of tokens come apart with depth, a view for each kind of label, before and after each sub-block.",
        [
            new("separability", "nc1.*", "Spread within classes over between", "Falls towards 0 where tokens of a class gather and classes move apart."),
            new("separability", "cdnv.*", "Spread over distance of class means", "Mean over pairs of classes; small: the two are far apart for their size."),
            new("separability", "nearestMean.*", "Tokens nearest to the mean of their class", "Share that the nearest mean of a class gets right."),
            new("probes", "ridge.*", "Ridge probe", "Accuracy of a linear probe on held-out windows; the broken line is a probe of shuffled classes, which knows nothing but their sizes."),
            new("probes", "logistic.*", "Logistic probe", "The same of logistic regression."),
            new("label-overlap", "overlap.*", "Neighbors of the same class", "Share of the nearest neighbors that are of a token's class."),
            new("minimal-pairs", "curvatureAuc", "Wrong sentences by curvature", "How often the wrong sentence of a pair bends more: 0.5 is chance.") { References = [("chance", 0.5)] },
            new("minimal-pairs", "offManifoldAuc", "Wrong sentences by distance from ordinary text", "How often the wrong one lies farther from the plane of its neighbors in ordinary text.") { References = [("chance", 0.5)] },
            new("contexts", "ratio", "One word in two sets of contexts", "Distance between the word's two means over the spread within each: above 1 the two senses are apart; the broken line is of shuffled contexts."),
            new("unit-sparsity", "active", "Active units of the feed-forward", "Share of hidden units that are clearly on at a token."),
        ]),
        new("Read-out and Jacobians", "What the head makes of the stream after each layer, and how much a block stretches what comes in.",
        [
            new("logit-lens", "klFinalToLens", "From a layer's read-out to the last", "KL in nats from what the model says to what it would say after the layer: where it falls, the answer is made."),
            new("logit-lens", "topAgreement", "First choice as in the end", "Share of tokens for which the layer's likeliest token is already the model's."),
            new("logit-lens", "lensLoss", "Loss of a layer's read-out", "Loss if the model ended there."),
            new("jacobians", "tokenLargest", "Largest stretch of a block", "Largest singular value of the Jacobian of a block at one place: how much a small change can grow.") { References = [("unchanged", 1)] },
            new("jacobians", "tokenGain", "Mean stretch of a block", "‖J‖ over √C: how much a change in any direction grows on average.") { References = [("unchanged", 1)] },
            new("gate-updates", "normalShareAfter", "Gated update out of the cloud", "Share of the update that leaves the span of a token's neighbors, after the gate."),
        ]),
        new("The shape of the cloud", "Whether tokens' values hang together, bend, or have holes.",
        [
            new("geodesics", "geodesicRatio", "Way along the cloud over straight line", "1 is flat; above 1 the cloud bends (or points are few)."),
            new("coverage", "mutualShare.*", "Tokens that hang together", "Share of tokens in the largest component where each is joined to mutual neighbors among its nearest K. The earlier it rises, the more evenly the cloud is covered.") { Over = "K" },
            new("homology", "betti0", "Components", "Separate pieces at the scale of the landmarks."),
            new("homology", "betti1", "Loops", "Loops that last over scales."),
            new("outlier-dimensions", "outlierDimensions", "Outlier dimensions", "Coordinates whose mean or variance is far from all others'."),
        ]),
    ];
}
