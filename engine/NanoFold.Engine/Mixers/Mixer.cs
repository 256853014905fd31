using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>A sequence mixer: tokens learn of those before them. The one part of a block in which positions meet.</summary>
public abstract class Mixer : BlockModule
{
    /// <summary>What decoding keeps, for <paramref name="batch"/> rows and at most <paramref name="chunk"/> new tokens at a time.</summary>
    public virtual IEnumerable<StateSlot> State(int batch, int chunk) => [];
}
