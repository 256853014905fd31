namespace NanoFold.Engine.Data;

/// <summary>
/// Evaluation batches: the windows [i·T, (i + 1)·T) of a shard in order, each token but the first being a target once,
/// the last window filled up with targets of −1; or an evenly spaced part of the windows.
/// </summary>
public sealed class EvaluationSource
{
    private readonly TokenShard _shard;
    private readonly long _all;

    /// <summary>Reads from <paramref name="shard"/>.</summary>
    /// <param name="shard">The tokens; not disposed here.</param>
    /// <param name="name">What messages call the text, for example its path.</param>
    /// <param name="batch">Rows, B.</param>
    /// <param name="context">Tokens a row, T.</param>
    /// <param name="windows">How many windows to take, evenly spaced; 0 for all.</param>
    /// <exception cref="UserException">There are fewer than two tokens, so nothing to predict.</exception>
    public EvaluationSource(TokenShard shard, string name, int batch, int context, int windows = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(windows);
        if (shard.Tokens < 2)
        {
            throw new UserException(
                $"{name}: has {shard.Tokens} tokens to validate with, but at least 2 are needed: use more text or a larger share for validation");
        }

        _shard = shard;
        _all = (shard.Tokens - 2) / context + 1;
        Windows = windows == 0 ? _all : Math.Min(windows, _all);
        Batch = batch;
        Context = context;
    }

    /// <summary>Rows of a batch of about 4,096 tokens: enough for matrix products to be fast.</summary>
    public static int RowsFor(int context) => Math.Max(1, Math.Min(64, 4096 / context));

    /// <summary>Rows, B.</summary>
    public int Batch { get; }

    /// <summary>Tokens a row, T.</summary>
    public int Context { get; }

    /// <summary>How many windows are taken.</summary>
    public long Windows { get; }

    /// <summary>How many batches that makes; the last may have rows without targets.</summary>
    public long Batches => (Windows + Batch - 1) / Batch;

    /// <summary>Fills batch <paramref name="index"/>, all spans [B, T]; allocates nothing.</summary>
    /// <param name="index">From 0 up to <see cref="Batches"/>.</param>
    /// <param name="tokens">The inputs; 0 where there is no text.</param>
    /// <param name="targets">The token after each input, −1 where there is none.</param>
    /// <param name="documents">As for <see cref="BatchSource.Fill"/>; −1 where there is no text.</param>
    /// <returns>How many targets are not −1.</returns>
    public int Fill(long index, Span<int> tokens, Span<int> targets, Span<int> documents = default)
    {
        TokenWindow.CheckSizes(Batch, Context, tokens, targets, documents);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Batches);
        for (int row = 0; row < Batch; row++)
        {
            long window = (index * Batch) + row;

            // Rows past the last window start where there is no target, and so are filled up.
            long start = window < Windows ? WindowAt(window) * Context : _shard.Tokens - 1;
            int first = row * Context;
            TokenWindow.Fill(
                _shard,
                start,
                tokens.Slice(first, Context),
                targets.Slice(first, Context),
                documents.IsEmpty ? [] : documents.Slice(first, Context));
        }

        return targets.Length - targets.Count(TokenWindow.NoTarget);
    }

    // ⌊i · all / taken⌋ in 128 bits: the products of large shards pass 64.
    private long WindowAt(long index) => (long)((Int128)index * _all / Windows);
}
