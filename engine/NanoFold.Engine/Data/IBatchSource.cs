namespace NanoFold.Engine.Data;

/// <summary>Where training batches come from: a text, or made up for a benchmark or a task.</summary>
public interface IBatchSource
{
    /// <summary>Rows, B.</summary>
    int Batch { get; }

    /// <summary>Tokens a row, T.</summary>
    int Context { get; }

    /// <summary>Fills one micro-batch, all spans [B, T] row by row: a pure function of step and micro-batch that allocates nothing.</summary>
    /// <param name="step">The optimizer step, from 0.</param>
    /// <param name="microBatch">Which part of the step's accumulated batch, from 0.</param>
    /// <param name="tokens">The inputs.</param>
    /// <param name="targets">The token to predict at each place, −1 where there is none.</param>
    /// <param name="documents">Empty, or filled with the index of each input's document.</param>
    void Fill(long step, int microBatch, Span<int> tokens, Span<int> targets, Span<int> documents = default);
}
