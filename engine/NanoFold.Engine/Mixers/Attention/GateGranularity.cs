namespace NanoFold.Engine.Mixers;

/// <summary>How many gates a gated attention has per token.</summary>
public enum GateGranularity
{
    /// <summary>One per element.</summary>
    Elementwise,

    /// <summary>One per head.</summary>
    Headwise,
}
