using NanoFold.Engine.Data;
using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Rows to train on: windows of T + 1 tokens at random places of a shard. A row is a pure function of (seed, step, micro-batch, row), so a resumed run draws what an
/// uninterrupted one would have drawn, whatever was drawn before.
/// </summary>
public sealed class TextDraws
{
    // Keeps the draws apart from others keyed by the same seed (dropout, initialization).
    private const ulong Stream = 0x62617463682D7631;

    private readonly TokenShard _shard;
    private readonly ulong _key;
    private readonly DrawOrder _order;

    /// <param name="shard">The tokens; not disposed here.</param>
    /// <param name="seed">Decides every draw.</param>
    /// <param name="order">How rows are numbered.</param>
    public TextDraws(TokenShard shard, ulong seed, DrawOrder order = DrawOrder.Step)
    {
        _shard = shard;
        _key = seed ^ Stream;
        _order = order;
    }

    /// <summary>Where a row of so many tokens begins; the shard is longer than it.</summary>
    public long StartOf(in RowKey key, int time)
    {
        ulong number = _order == DrawOrder.Step ? (ulong)key.Number : ((ulong)(uint)key.MicroBatch << 32) | (uint)key.Row;
        return (long)Philox.Below((ulong)(_shard.Tokens - time), _key, number, (ulong)key.Step);
    }
}
