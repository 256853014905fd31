using NanoFold.Engine.Corpora;
using NanoFold.Kernels;

namespace NanoFold.Engine.Data;

/// <summary>
/// A corpus cut in two: one part to train on, the rest to validate with. The cut is at byte ⌊(1 − share) · bytes⌋ of all documents together, moved back to the
/// start of a character if asked for; documents stand as they come or, for the cut, in a shuffled order. A document that is cut is the last of the one part and
/// the first of the other; all others keep their order.
/// </summary>
/// <param name="Train">The pieces of the first part.</param>
/// <param name="Validation">The pieces of the other part.</param>
public sealed record Split(IReadOnlyList<TextPiece> Train, IReadOnlyList<TextPiece> Validation)
{
    // Keeps the draws apart from others keyed by the same seed.
    private const ulong Stream = 0x73706C69742D7631;

    /// <summary>Every document as a whole.</summary>
    public static TextPiece[] Whole(IReadOnlyList<Document> documents) =>
        [.. documents.Select(document => new TextPiece(document, 0, document.Bytes))];

    /// <summary>Cuts <paramref name="documents"/> so that the last <paramref name="share"/> of the bytes validates.</summary>
    /// <param name="documents">In order.</param>
    /// <param name="share">Of the bytes.</param>
    /// <param name="atCharacter">Whether no character is cut.</param>
    /// <param name="shuffle">The seed of the order in which the cut is made; null for the order in which they come.</param>
    /// <exception cref="ArgumentOutOfRangeException">The share is not in [0, 1].</exception>
    public static Split Of(IReadOnlyList<Document> documents, double share, bool atCharacter, long? shuffle = null)
    {
        if (!(share is >= 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(share), $"the validation share {share} is not in [0, 1]");
        }

        // In decimals: 0.9 of a count has no exact double, and the floor must not depend on its rounding.
        long rest = (long)decimal.Floor((1m - (decimal)share) * documents.Sum(document => document.Bytes));
        int[] order = [.. Enumerable.Range(0, documents.Count)];
        Shuffle(order, shuffle);
        var cuts = new long[documents.Count];
        foreach (int index in order)
        {
            long cut = Math.Min(rest, documents[index].Bytes);
            rest -= cut;
            cuts[index] = atCharacter ? CharacterStart(documents[index], cut) : cut;
        }

        bool IsCut(int index) => cuts[index] > 0 && cuts[index] < documents[index].Bytes;
        IEnumerable<int> all = Enumerable.Range(0, documents.Count);
        return new Split(
            [.. all.Where(i => cuts[i] > 0).OrderBy(IsCut).Select(i => new TextPiece(documents[i], 0, cuts[i]))],
            [.. all.Where(i => cuts[i] < documents[i].Bytes).OrderBy(i => !IsCut(i)).Select(i => new TextPiece(documents[i], cuts[i], documents[i].Bytes))]);
    }

    // Fisher and Yates.
    private static void Shuffle(int[] order, long? seed)
    {
        for (int last = seed is null ? 0 : order.Length - 1; last > 0; last--)
        {
            int other = (int)Philox.Below((ulong)last + 1, (ulong)seed!.Value ^ Stream, (ulong)last, 0);
            (order[last], order[other]) = (order[other], order[last]);
        }
    }

    // At most three bytes back; where there is no character start, the bytes are no UTF-8 and any cut will do.
    private static long CharacterStart(Document document, long cut)
    {
        if (cut <= 0 || cut >= document.Bytes)
        {
            return cut;
        }

        Span<byte> around = stackalloc byte[(int)Math.Min(cut, 3) + 1];
        document.Read(cut - around.Length + 1, around);
        for (int back = 0; back < around.Length; back++)
        {
            if ((around[^(back + 1)] & 0xC0) != 0x80)
            {
                return cut - back;
            }
        }

        return cut;
    }
}
