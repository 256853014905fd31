namespace NanoFold.Kernels;

/// <summary>
/// How dropout draws on every device: element i is kept when word i mod 4 of Philox(key, i / 4, 0) is at least <see cref="Threshold"/>,
/// with a key of its own for each (random key, step, micro-batch, node).
/// </summary>
public static class DropoutRandom
{
    public static ulong Key(ulong randomKey, long step, long microBatch, int node)
    {
        (uint low, uint high, _, _) = Philox.Next(randomKey, (ulong)step, ((ulong)microBatch << 32) | (uint)node);
        return ((ulong)high << 32) | low;
    }

    /// <summary>rate · 2³², for rates in [0, 1).</summary>
    public static uint Threshold(double rate) => (uint)(rate * 4294967296.0);
}
