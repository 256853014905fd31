using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>Uniformly random tokens, each the target of the one before: for plans and benchmarks, where only the shapes matter. Each micro-batch has draws of
/// its own, so a batch in parts is not the whole one.</summary>
/// <param name="vocab">How many tokens there are.</param>
/// <param name="seed">Decides every draw.</param>
/// <param name="hasDocuments">Whether tokens see their own document only: rows are one document each.</param>
public sealed class RandomTokens(int vocab, ulong seed, bool hasDocuments = false) : LearningTask
{
    /// <inheritdoc/>
    public override string Name => "random tokens";

    /// <inheritdoc/>
    public override int Vocab => vocab;

    /// <inheritdoc/>
    public override IReadOnlyList<BatchField> Fields(int time)
        => hasDocuments ? [.. BatchField.OfTokens(time), BatchField.OfDocuments(time)] : BatchField.OfTokens(time);

    /// <inheritdoc/>
    public override long Places(TaskSplit split) => long.MaxValue;

    /// <inheritdoc/>
    public override int Fill(in RowKey key, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        // Rows follow one another: the last target of one is the first token of the next.
        ulong first = ((ulong)(uint)key.MicroBatch << 32) | (uint)(key.Row * tokens.Length);
        for (int i = 0; i <= tokens.Length; i++)
        {
            int token = (int)Philox.Below((ulong)vocab, seed, first + (ulong)i, (ulong)key.Step);
            if (i < tokens.Length)
            {
                tokens[i] = token;
            }

            if (i > 0 && !targets.IsEmpty)
            {
                targets[i - 1] = token;
            }
        }

        row.Integers(BatchField.Documents).Clear();
        return targets.Length;
    }
}
