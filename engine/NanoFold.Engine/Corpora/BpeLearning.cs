using NanoFold.Engine.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>Learns a byte-level BPE from text that need not fit into memory.</summary>
public static class BpeLearning
{
    /// <summary>The tokenizer of at most <paramref name="vocab"/> symbols; see <see cref="BpeTrainer.Train"/>.</summary>
    /// <param name="pieces">The text, read a chunk at a time.</param>
    /// <param name="vocab">Symbols, the bytes and marks included.</param>
    /// <param name="marks">Whether two of them begin and end a document.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="UserException">A file cannot be read.</exception>
    public static BpeTokenizer Learn(IEnumerable<TextPiece> pieces, int vocab, bool marks, CancellationToken cancel = default)
    {
        var trainer = new BpeTrainer();
        foreach (TextPiece piece in pieces)
        {
            foreach (ReadOnlyMemory<byte> chunk in TextChunks.Read(piece))
            {
                cancel.ThrowIfCancellationRequested();
                trainer.Add(chunk.Span);
            }
        }

        return trainer.Train(vocab, marks);
    }
}
