namespace NanoFold.Engine.Training;

/// <summary>What one optimizer step gave.</summary>
/// <param name="Loss">Mean loss of the accumulated batch, nats per target.</param>
/// <param name="GradientNorm">Global norm before clipping.</param>
/// <param name="LearningRate">That of <c>train.learningRate</c>.</param>
/// <param name="Tokens">Tokens of the whole accumulated batch.</param>
public readonly record struct StepResult(double Loss, double GradientNorm, double LearningRate, int Tokens)
{
    /// <summary>Rates that the optimizer has besides, such as Muon's for matrices. The list is filled again by the next step.</summary>
    public IReadOnlyList<LearningRate> OwnRates { get; init; } = [];

    /// <summary>What gradients are of besides the loss.</summary>
    public LossTerms Terms { get; init; }

    /// <summary>False: nothing was updated.</summary>
    public bool IsFinite => double.IsFinite(Loss) && double.IsFinite(GradientNorm) && Terms.IsFinite;
}
