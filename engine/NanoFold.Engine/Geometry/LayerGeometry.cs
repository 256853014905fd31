namespace NanoFold.Engine.Geometry;

/// <summary>
/// The geometry of one layer's residual stream over the probe tokens. Figures are null where they are undefined; the parts say their estimator,
/// N, centring and positions.
/// </summary>
/// <param name="Layer">From 0.</param>
/// <param name="Residual">Norm and mean cosine of <c>hook_resid_post</c>, with and without position 0.</param>
/// <param name="Mixer">Share ‖Δ‖/‖x‖ and cosine of the mixer's update against <c>hook_resid_pre</c>.</param>
/// <param name="FeedForward">The same of the feed-forward's update against <c>hook_resid_mid</c>.</param>
/// <param name="Spectrum">Eigenvalues of the centred second moments of <c>hook_resid_post</c>, position 0 left out: it holds outliers.</param>
/// <param name="Attention">Row entropy and first-token mass over all heads; null where the mixer has no attention pattern.</param>
/// <param name="Gate">Mean and share below 0.1; null where there is no gate.</param>
/// <param name="Experts">Share of (token, slot) pairs of each expert; null where there are none.</param>
/// <param name="ExpertEntropy">Entropy of that load ÷ ln E.</param>
/// <param name="Dimension">TwoNN with its N-matched Gaussian calibration, position 0 left out; null where it was not measured this time.</param>
public sealed record LayerGeometry(
    int Layer,
    PositionSplit<RowSummary> Residual,
    PositionSplit<UpdateSummary> Mixer,
    PositionSplit<UpdateSummary> FeedForward,
    SpectrumSummary Spectrum,
    PositionSplit<AttentionSummary>? Attention,
    GateStatistics? Gate,
    IReadOnlyList<double>? Experts,
    double? ExpertEntropy,
    CalibratedDimension? Dimension);
