namespace NanoFold.Engine.Generation;

/// <summary>Why a sample ended.</summary>
public enum FinishReason
{
    /// <summary>It has as many tokens as were asked for.</summary>
    Length,

    /// <summary>Its text reached a stop string.</summary>
    Stop,

    /// <summary>The model ended the document.</summary>
    Eos,
}
