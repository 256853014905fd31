using NanoFold.Kernels;

namespace NanoFold.Engine.Data;

/// <summary>
/// Training batches: windows of T + 1 tokens at random places of a shard. A batch is a pure function of (seed, step,
/// micro-batch), so a resumed run draws what an uninterrupted one would have drawn, whatever was drawn before. Row r of micro-batch m of B rows is row m · B + r
/// of the step, so a step of k micro-batches draws what one batch of k · B rows draws.
/// </summary>
public sealed class BatchSource : IBatchSource
{
    // Keeps the draws apart from others keyed by the same seed (dropout, initialization).
    private const ulong Stream = 0x62617463682D7631;

    private readonly TokenShard _shard;
    private readonly ulong _key;
    private readonly DrawOrder _order;

    /// <summary>Draws from <paramref name="shard"/>.</summary>
    /// <param name="shard">The tokens; not disposed here.</param>
    /// <param name="name">What messages call the text, for example its path.</param>
    /// <param name="batch">Rows, B.</param>
    /// <param name="context">Tokens a row, T.</param>
    /// <param name="seed">Decides every draw.</param>
    /// <param name="order">How rows are numbered.</param>
    /// <exception cref="UserException">The text is shorter than T + 1 tokens.</exception>
    public BatchSource(TokenShard shard, string name, int batch, int context, ulong seed, DrawOrder order = DrawOrder.Step)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 1);
        if (shard.Tokens <= context)
        {
            throw new UserException(
                $"{name}: has {shard.Tokens} tokens to train on, but a context of {context} needs {context + 1L}: use more text{(shard.Tokens > 1 ? $" or a context of at most {shard.Tokens - 1}" : "")}");
        }

        _shard = shard;
        _key = seed ^ Stream;
        _order = order;
        Batch = batch;
        Context = context;
    }

    /// <summary>Rows, B.</summary>
    public int Batch { get; }

    /// <summary>Tokens a row, T.</summary>
    public int Context { get; }

    /// <summary>Fills one micro-batch, all spans [B, T] row by row; allocates nothing.</summary>
    /// <param name="step">The optimizer step, from 0.</param>
    /// <param name="microBatch">Which part of the step's accumulated batch, from 0.</param>
    /// <param name="tokens">The inputs.</param>
    /// <param name="targets">The token after each input, −1 where there is none to learn.</param>
    /// <param name="documents">
    /// Empty, or filled with the index of each input's document, for attention that stays inside documents; the first
    /// token of another document is then no target.
    /// </param>
    public void Fill(long step, int microBatch, Span<int> tokens, Span<int> targets, Span<int> documents = default)
    {
        TokenWindow.CheckSizes(Batch, Context, tokens, targets, documents);
        ulong places = (ulong)(_shard.Tokens - Context);
        for (int row = 0; row < Batch; row++)
        {
            ulong number = _order == DrawOrder.Step ? ((ulong)microBatch * (ulong)Batch) + (ulong)row : ((ulong)(uint)microBatch << 32) | (uint)row;
            long start = (long)Philox.Below(places, _key, number, (ulong)step);
            int first = row * Context;
            TokenWindow.Fill(
                _shard,
                start,
                tokens.Slice(first, Context),
                targets.Slice(first, Context),
                documents.IsEmpty ? [] : documents.Slice(first, Context));
        }
    }
}

/// <summary>How the rows that a step draws are numbered: a row's number decides what is drawn for it.</summary>
public enum DrawOrder
{
    /// <summary>Through all micro-batches of a step: 8 rows are the same text as 2 micro-batches of 4.</summary>
    Step,

    /// <summary>In each micro-batch anew, as runs did that began before version 3 of configurations.</summary>
    MicroBatch,
}
