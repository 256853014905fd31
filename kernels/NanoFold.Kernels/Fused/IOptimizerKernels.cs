namespace NanoFold.Kernels.Fused;

/// <summary>
/// The optimisers' passes over contiguous ranges of a parameter store. Each reads <see cref="StepSlot.GradientScale"/> and does nothing where it is 0,
/// so the last good state is never overwritten.
/// </summary>
public interface IOptimizerKernels
{
    /// <summary>Adds Σ g² to <see cref="StepSlot.GradientSquares"/>, in double, in an order fixed by the shape.</summary>
    void AddSquares(in View gradient);

    /// <summary>
    /// Divides GradientSquares by LossScale². GradientScale = 0 (and Skipped + 1) if Loss or GradientSquares is not finite, otherwise
    /// min(1, clip / √GradientSquares) / LossScale; clip 0 for none.
    /// </summary>
    /// <param name="clip">The largest gradient norm.</param>
    /// <param name="dynamicLossScale">
    /// Then also: where not finite, LossScale = max(<see cref="LossScaling.Least"/>, LossScale / 2) and GoodSteps = 0; otherwise GoodSteps + 1, and after
    /// <see cref="LossScaling.StepsPerDoubling"/> of them LossScale = min(<see cref="LossScaling.Most"/>, 2 · LossScale) and GoodSteps = 0.
    /// </param>
    void Decide(double clip, bool dynamicLossScale);

    /// <summary>
    /// AdamW with decoupled decay (arXiv 1711.05101): g' = scale · g; m, v lerp; p −= lr·rateFactor · (m̂ / (√v̂ + ε) + decay · p). Step and learning rate are read from the state.
    /// </summary>
    void AdamW(in View parameter, in View gradient, in View first, in View second, double beta1, double beta2, double epsilon, double decay, double rateFactor);

    /// <summary>Muon's momentum: m ← β m + (1 − β) g'; update = Nesterov ? (1 − β) g' + β m : m.</summary>
    void MuonMomentum(in View gradient, in View momentum, in View update, double beta, bool nesterov);

    /// <summary>y = x / (‖x‖_F + ε): one matrix.</summary>
    void NormalizeFrobenius(in View x, in View y, double epsilon);

    /// <summary>p −= MatrixLearningRate · rateFactor · (update + decay · p).</summary>
    void MuonApply(in View parameter, in View update, double decay, double rateFactor);
}
