using System.Text.Json.Serialization;

namespace NanoFold.Engine.Training;

/// <summary>How gradients become updates.</summary>
public enum OptimizerKind
{
    /// <summary>Adam with decoupled weight decay, for every parameter.</summary>
    [JsonStringEnumMemberName("adamw")]
    AdamW,

    /// <summary>Muon for hidden matrices; AdamW for embeddings, head and gains.</summary>
    Muon,
}
