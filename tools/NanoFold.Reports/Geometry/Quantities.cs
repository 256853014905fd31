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

    /// <summary>What its line is called where it is of the whole model.</summary>
    public string Name { get; init; } = "model";

    /// <summary>Figures of the same measure that it is held against, with what they are.</summary>
    public IReadOnlyList<(string Figure, string Name)> Beside { get; init; } = [];

    /// <summary>What the numbers after the name are; null where there are none.</summary>
    public string? Over { get; init; }

    /// <summary>Whether the numbers are blocks, shown as shares of the depth.</summary>
    public bool IsRelative { get; init; }

    /// <summary>What its values are, where the name of the figure does not say it.</summary>
    public string Unit { get; init; } = "";
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
            new("twonn", "dimension", "TwoNN dimension", "Intrinsic dimension of the cloud after each block; the broken line is the Gaussian's dimension that would read so. A hump in the middle is usual in trained models, a flat line in untrained ones."),
            new("levina-bickel", "dimension", "Levina–Bickel dimension", "The same by maximum likelihood over more neighbors. Where it is far below TwoNN, the smallest scale is noise."),
            new("correlation", "dimension", "Correlation dimension", "How fast pairs become more as the radius grows; dense regions weigh most."),
            new("dimension-profile", "dimension.*", "Dimension by relative depth", "TwoNN before the first block (0) and after each, the last at 1, so that models of different depths are laid over each other. Published: a hump in trained models, a flat line in untrained ones.") { Over = "relative depth", IsRelative = true },
            new("gride", "dimension.*", "Dimension by scale", "One line a layer, neighbors of higher rank to the right. A line that falls is noise of many dimensions over fewer.") { Over = "rank of the neighbor" },
            new("spectrum", "participationRatio", "Participation ratio", "About how many principal directions hold the variance; small where a few hold most of it."),
            new("spectrum", "erankEig", "Effective rank", "Directions that count by the entropy of the spectrum: more than the participation ratio where the tail is long.") { Unit = "effective rank" },
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
            new("drift", "drift", "Way since the measurement before", "How far a token's value moved since it was measured before, over its length: it falls as a layer settles."),
            new("cosines", "meanCosineWithoutFirst", "Mean cosine of two tokens", "0 where tokens point everywhere, 1 where all point the same way (anisotropy)."),
            new("spectrum", "firstEigenvalueShare", "Share of the first direction", "Variance along the first principal direction; near 1 the cloud is a line."),
            new("tangents", "mixerNormalShare", "Mixer's update out of the cloud", "Share of the update that leaves the span of a token's neighbors; the broken line is a random span. Below it, updates go along the cloud."),
            new("tangents", "feedForwardNormalShare", "Feed-forward's update out of the cloud", "The same of the feed-forward."),
        ]),
        new("Curvature", "Angles between successive steps: over tokens of a text, and of one token from layer to layer.",
        [
            new("token-curvature", "degrees", "Curvature over tokens", "Mean angle between the steps from token to token, beside a straight line, a random walk and independent points. It falls with depth where the model straightens text.") { References = s_angles },
            new("layer-curvature", "degrees.*", "Curvature over layers", "The same angle of one token's way between a block's step and the next one's.") { Over = "block", References = s_angles },
            new("boundaries", "degreesAtBoundary", "Curvature where a text begins", "Mean angle of the steps to and from the first token of a document or paragraph; the broken line is all other tokens. Apart: the stream turns where the subject does.") { Beside = [("degreesElsewhere", "elsewhere")] },
        ]),
        new("Attention", "Where attention goes. Position 0 often takes mass that means nothing, so figures without it stand beside.",
        [
            new("attention", "attentionEntropyShare", "Evenness of attention", "Entropy of a row over ln of its keys: 1 even, 0 on one key."),
            new("attention", "firstTokenMassWithoutFirst", "Mass on the first token", "The sink: mean weight that later tokens give to position 0."),
            new("attention", "sinkHeadShare", "Share of heads with a sink", "Heads that give position 0 more than the threshold."),
            new("attention-graph", "keysFor90", "Keys for 90 % of the mass", "Fewest keys that hold nine tenths of a row; few: sharp attention.") { Unit = "keys" },
            new("attention-graph", "effectiveRank", "Effective rank of patterns", "1 where all rows are the same, the window's length where each looks elsewhere."),
            new("attended-neighbors", "attendedNear", "Attended keys that are near", "Share of the keys attended to most that are among the nearest in the stream; the broken line is chance."),
            new("attention-lags", "mass.*", "Attention by distance", "Mass on keys so many tokens back, a line a layer.") { Over = "tokens back, up to", Beside = [("evenMass", "even attention")] },
            new("heads", "jointOverSum", "Heads that share directions", "Dimension of all heads' outputs together over the sum of each: below 1 they write into the same directions."),
            new("heads", "subspaceOverlap", "Overlap of heads' outputs", "Mean cos² of the principal angles between the first directions of two heads; the broken line is random subspaces."),
            new("query-key", "symmetricShare", "Symmetry of queries and keys", "Symmetric share of W_QᵀW_K; the broken line is chance. Above it a head matches like with like, below it one kind looks for another."),
            new("query-key", "positiveShare", "Positive part of queries and keys", "Share of the symmetric part with positive eigenvalues: 1 attends to what is like the query, 0 to what is unlike.") { References = [("even", 0.5)] },
        ]),
        new("Gates, experts, streams", "What opens, which expert is taken, and how several residual streams mix.",
        [
            new("gates", "gateMean", "Mean of gates", "0 closed, 1 open."),
            new("gates", "gateClosedShare", "Closed gates", "Share of gates below a tenth."),
            new("boundaries", "gateAtBoundary", "Gates where a text begins", "Mean gate of the first token of a document or paragraph; the broken line is all other tokens.") { Beside = [("gateElsewhere", "elsewhere")] },
            new("experts", "expertLoadEntropyShare", "Evenness of experts' load", "1 where all experts are taken alike, 0 where one is.") { References = [("even", 1)] },
            new("expert-purity", "purity.*", "Experts know classes", "What the expert tells of a token's class, over what there is to tell, bias taken off; the broken line is of experts dealt out anew.") { Beside = [("purityShuffled", "experts dealt out anew")] },
            new("expert-subspaces", "subspaceOverlap", "Overlap of experts' outputs", "Mean cos² of the principal angles between what two experts write; the broken line is random subspaces."),
            new("streams", "streamCosine", "Likeness of streams", "Mean cosine of residual streams: near 1 they say the same."),
            new("stream-mixing", "mixingForwardGain", "Gain of the mixing", "Largest factor by which all mixings up to the block lengthen a stream."),
        ]),
        new("Classes and probes", "How well classes of tokens come apart with depth, a view for each kind of label, before and after each sub-block.",
        [
            new("separability", "nc1.*", "Spread within classes over between", "Falls towards 0 where tokens of a class gather and classes move apart.") { Unit = "spread within ÷ between" },
            new("separability", "cdnv.*", "Spread over distance of class means", "Mean over pairs of classes; small: the two are far apart for their size.") { Unit = "spread ÷ distance" },
            new("separability", "nearestMean.*", "Tokens nearest to the mean of their class", "Share that the nearest mean of a class gets right.") { Unit = "share", Beside = [("mostFrequent", "the most frequent class")] },
            new("probes", "ridge.*", "Ridge probe", "Accuracy of a linear probe on held-out windows; the broken line is a probe of shuffled classes, which knows nothing but their sizes.") { Unit = "accuracy" },
            new("probes", "logistic.*", "Logistic probe", "The same of logistic regression.") { Unit = "accuracy" },
            new("label-overlap", "overlap.*", "Neighbors of the same class", "Share of the nearest neighbors that are of a token's class.") { Beside = [("byChance", "by chance")] },
            new("minimal-pairs", "curvatureAuc", "Wrong sentences by curvature", "How often the wrong sentence of a pair bends more: 0.5 is chance.") { References = [("chance", 0.5)], Unit = "area under the curve" },
            new("minimal-pairs", "offManifoldAuc", "Wrong sentences by distance from ordinary text", "How often the wrong one lies farther from the plane of its neighbors in ordinary text.") { References = [("chance", 0.5)], Unit = "area under the curve" },
            new("contexts", "ratio", "One word in two sets of contexts", "Distance between the word's two means over the spread within each: above 1 the two senses are apart; the broken line is of shuffled contexts."),
            new("unit-sparsity", "active", "Active units of the feed-forward", "Share of hidden units that are clearly on at a token."),
            new("collapse", "nc1", "Next tokens apart before the head", "Spread within the classes of next tokens over that between them, of what the head reads: it falls as training separates them.") { Unit = "spread within ÷ between" },
            new("collapse", "agreement", "Head and nearest class mean agree", "How often the nearest mean of a next token is the one that the model finds likeliest: 1 is a head that reads class means."),
            new("minimal-pairs", "lossAuc", "Wrong sentences by loss", "How often the wrong sentence of a pair is less likely for the model: 0.5 is chance, 1 knows the rule.") { Unit = "area under the curve", References = [("chance", 0.5)] },
        ]),
        new("Read-out and Jacobians", "What the head makes of the stream after each layer, and how much a block stretches what comes in.",
        [
            new("logit-lens", "klFinalToLens", "From a layer's read-out to the last", "KL in nats from what the model says to what it would say after the layer: where it falls, the answer is made.") { Unit = "nats" },
            new("logit-lens", "topAgreement", "First choice as in the end", "Share of tokens for which the layer's likeliest token is already the model's."),
            new("logit-lens", "lensLoss", "Loss of a layer's read-out", "Loss if the model ended there.") { Unit = "nats" },
            new("jacobians", "tokenLargest", "Largest stretch of a block", "Largest singular value of the Jacobian of a block at one place: how much a small change can grow.") { References = [("unchanged", 1)] },
            new("jacobians", "tokenGain", "Mean stretch of a block", "‖J‖ over √C: how much a change in any direction grows on average.") { References = [("unchanged", 1)] },
            new("gain", "gainRatio", "Gain along the cloud over across", "How much more a small step along the cloud reaches the last layer than one out of it; the broken line is a random plane, which gives 1.") { Beside = [("randomRatio", "random plane")] },
            new("attribution", "exactEffect", "Effect of a part's output", "Change of the loss when a part's output of a changed text is put into the unchanged one; broken lines are the estimate by one gradient: apart from it, they say how far the estimate can be trusted.") { Unit = "nats", Beside = [("estimatedEffect", "estimated")] },
            new("attribution", "partSpearman", "Estimated against exact effects", "Rank correlation of attribution by one gradient with patching: over parts, over the places with the largest estimates, and over places drawn at random. 1 ranks them alike.") { Name = "parts", Unit = "rank correlation", Beside = [("placeSpearman", "places"), ("randomPlaceSpearman", "random places")] },
            new("gate-updates", "normalShareAfter", "Gated update out of the cloud", "Share of the update that leaves the span of a token's neighbors, after the gate."),
        ]),
        new("Recurrent states and memory", "What a mixer keeps of earlier tokens, and for how long.",
        [
            new("states", "stateRank", "Rank of recurrent states", "Directions that a state uses by the entropy of its singular values; the broken line is all there are.") { Beside = [("stateRankMost", "at most")] },
            new("states", "timescale", "Tokens until a state fades", "Median number of tokens after which 1/e of a state is left, by its decays."),
            new("states", "trajectoryDegrees", "Curvature of a state's way", "Mean angle between successive steps of the state.") { Unit = "degrees", References = s_angles },
            new("gradient-lags", "gain.*", "Reach of earlier tokens", "Length of the Jacobian of a mixer's output by what it read so many tokens back, a line a layer: how fast it falls is how fast it forgets.") { Over = "tokens back, up to", Unit = "‖J‖ ÷ √C" },
            new("gradient-lags", "timescale", "Tokens until the Jacobian fades", "Tokens back until it is e times smaller."),
        ]),
        new("What training changed", "Each checkpoint held against the last one, or against the run given by `--against`; and the weights as they are.",
        [
            new("output-shift", "klSecondToFirst", "Change of what is said", "KL in nats from what the last checkpoint says to what the earlier one said, of the same places.") { Unit = "nats" },
            new("output-shift", "topAgreement", "First choice as at the last checkpoint", "Share of places at which both find the same token likeliest."),
            new("hidden-shift", "shift", "Shift of tokens", "Mean length of a token's way from the checkpoint to the last one, over its length there."),
            new("hidden-shift", "shiftK90", "Directions of the shift", "Fewest directions that hold nine tenths of the shift: far below the width, training moved the cloud in few directions.") { Unit = "directions" },
            new("hidden-shift", "heldOutShare", "Shift in the directions of other tokens", "Share of one half's shift in the main directions of the other half's; broken: random directions of the same number. Near 0.9 the directions are real.") { Unit = "share", Beside = [("randomShare", "random directions")] },
            new("weight-change", "relativeChange", "Change of weights", "‖ΔW‖ ÷ ‖W‖ of every matrix of the blocks, from a checkpoint to the last one."),
            new("weight-change", "changeK90", "Directions of the change", "Fewest singular values that hold nine tenths of ΔW; broken: a random matrix of the same shape. Far below it the change is of low rank.") { Unit = "directions", Beside = [("gaussianK90", "random matrix")] },
            new("weight-norms", "rms", "Size of weights", "Root mean square of every matrix of the blocks."),
            new("weight-spectra", "weightErank", "Effective rank of weights", "Directions that count by the entropy of the singular values.") { Unit = "effective rank" },
        ]),
        new("The shape of the cloud", "Whether tokens' values hang together, bend, or have holes.",
        [
            new("geodesics", "geodesicRatio", "Way along the cloud over straight line", "1 is flat; above 1 the cloud bends (or points are few)."),
            new("coverage", "mutualShare.*", "Tokens that hang together", "Share of tokens in the largest component where each is joined to mutual neighbors among its nearest K. The earlier it rises, the more evenly the cloud is covered.") { Over = "K" },
            new("homology", "betti0", "Components", "Separate pieces at the scale of the landmarks.") { Unit = "components" },
            new("homology", "betti1", "Loops", "Loops that last over scales.") { Unit = "loops" },
            new("outlier-dimensions", "outlierDimensions", "Outlier dimensions", "Coordinates whose mean or variance is far from all others'."),
        ]),
    ];
}
