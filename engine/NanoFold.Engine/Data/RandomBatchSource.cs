using NanoFold.Kernels;

namespace NanoFold.Engine.Data;

/// <summary>Uniformly random tokens, each the target of the one before: for benchmarks, where only the shapes matter.</summary>
public sealed class RandomBatchSource(int batch, int context, int vocab, ulong seed) : IBatchSource
{
    public int Batch { get; } = batch;

    public int Context { get; } = context;

    public void Fill(long step, int microBatch, Span<int> tokens, Span<int> targets, Span<int> documents = default)
    {
        TokenWindow.CheckSizes(Batch, Context, tokens, targets, documents);
        for (int i = 0; i <= tokens.Length; i++)
        {
            int token = (int)Philox.Below((ulong)vocab, seed, ((ulong)(uint)microBatch << 32) | (uint)i, (ulong)step);
            if (i < tokens.Length)
            {
                tokens[i] = token;
            }

            if (i > 0)
            {
                targets[i - 1] = token;
            }
        }

        documents.Clear();
    }
}
