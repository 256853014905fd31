namespace NanoFold.Engine.Modules;

/// <summary>How a model knows where a token stands.</summary>
public enum PositionKind
{
    /// <summary>Rotary: queries and keys are turned by angles that grow with the position.</summary>
    Rope,

    /// <summary>A learned vector per position is added to the embedding.</summary>
    Learned,

    /// <summary>Only through the causal mask.</summary>
    None,
}
