namespace NanoFold.Engine.Modules;

/// <summary>How matrices that write to the residual stream, and the head, start; see <see cref="Initialization"/>.</summary>
public enum InitializationKind
{
    /// <summary>Small random values, smaller the deeper the model.</summary>
    Scaled,

    /// <summary>Zeros. Muon's updates have one size whatever the gradient's, so they grow at once; with AdamW scaled ones were measured to be better.</summary>
    Zero,
}
