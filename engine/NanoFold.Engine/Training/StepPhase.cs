namespace NanoFold.Engine.Training;

/// <summary>Where in a training step something happens.</summary>
public enum StepPhase
{
    /// <summary>The batch is drawn and gradients are set to 0.</summary>
    Begin,

    Forward,

    /// <summary>Gradients, and what is computed again for them.</summary>
    Backward,

    /// <summary>The optimizer.</summary>
    Update,
}
