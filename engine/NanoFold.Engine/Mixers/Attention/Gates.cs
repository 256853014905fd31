using System.Text.Json.Serialization;

namespace NanoFold.Engine.Mixers;

/// <summary>What a gated attention multiplies by its gates; named as in arXiv 2505.06708.</summary>
public enum GatePosition
{
    /// <summary>The output of the scaled dot-product attention, before W_o.</summary>
    [JsonStringEnumMemberName("G1")]
    AttentionOutput,

    /// <summary>The values.</summary>
    [JsonStringEnumMemberName("G2")]
    Values,

    /// <summary>The keys.</summary>
    [JsonStringEnumMemberName("G3")]
    Keys,

    /// <summary>The queries.</summary>
    [JsonStringEnumMemberName("G4")]
    Queries,

    /// <summary>The output of W_o.</summary>
    [JsonStringEnumMemberName("G5")]
    Output,
}

/// <summary>How many gates a gated attention has per token.</summary>
public enum GateGranularity
{
    /// <summary>One per element.</summary>
    Elementwise,

    /// <summary>One per head.</summary>
    Headwise,
}
