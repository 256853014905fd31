using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>What a piece of a mixer's state holds where a row begins.</summary>
public enum StateStart
{
    /// <summary>What was there: positions tell which of it counts, as in a cache of keys.</summary>
    Kept,

    /// <summary>Zeros, as a recurrence starts.</summary>
    Zero,
}

/// <summary>
/// A piece of memory that a mixer keeps while decoding, for the whole batch. A row that brings no tokens, and places that only pad a chunk, leave
/// it as it is.
/// </summary>
/// <param name="Name">Apart from the other slots of the layer.</param>
/// <param name="Layout">[B, ..], a row's part contiguous.</param>
/// <param name="Type">Real or Int32, whatever the model's own type is.</param>
/// <param name="Start">What a row finds when it begins.</param>
public sealed record StateSlot(string Name, Layout Layout, DType Type, StateStart Start)
{
    /// <summary>
    /// Where the second dimension is that of entries, how many tokens come to each, in their order: of a row of n tokens only the first n / this, rounded up, hold
    /// anything. 0 where a row's part counts as a whole.
    /// </summary>
    public int TokensPerEntry { get; init; }

    /// <summary>Whether it may be of <see cref="Backend.CacheType"/> where the model is in single precision.</summary>
    public bool MayRound { get; init; }

    /// <summary>As it is kept on a backend.</summary>
    public StateSlot On(Backend backend) => MayRound && Type == DType.Float32 ? this with { Type = backend.CacheType } : this;

    /// <summary>Of memory.</summary>
    public long Bytes => Layout.Count * Type.Size();
}
