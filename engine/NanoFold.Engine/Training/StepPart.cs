namespace NanoFold.Engine.Training;

/// <summary>A part of a training step outside the recorded pass.</summary>
internal sealed record StepPart(string Name, StepPhase Phase)
{
    public static StepPart Batch { get; } = new("draw batch", StepPhase.Begin);

    public static StepPart ZeroGradients { get; } = new("zero gradients", StepPhase.Begin);

    public static StepPart Upload { get; } = new("upload batch", StepPhase.Begin);

    /// <summary>Of micro-batches and processes.</summary>
    public static StepPart Sum { get; } = new("sum gradients", StepPhase.Update);

    public static StepPart GradientNorm { get; } = new("gradient norm", StepPhase.Update);

    /// <summary>The biases that balance experts.</summary>
    public static StepPart Balance { get; } = new("balance experts", StepPhase.Update);

    /// <summary>The copy of the parameters that activations of 16 bits read.</summary>
    public static StepPart Shadow { get; } = new("round parameters", StepPhase.Update);
}
