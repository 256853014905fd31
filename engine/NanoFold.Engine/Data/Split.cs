using NanoFold.Engine.Corpora;

namespace NanoFold.Engine.Data;

/// <summary>
/// A corpus cut in two: the first part to train on, the rest to validate with. The cut is at byte
/// ⌊(1 − share) · bytes⌋ of all documents together, moved back to the start of a character if asked for.
/// </summary>
/// <param name="Train">The pieces of the first part; a document that is cut is in both.</param>
/// <param name="Validation">The pieces of the last part.</param>
public sealed record Split(IReadOnlyList<TextPiece> Train, IReadOnlyList<TextPiece> Validation)
{
    /// <summary>Every document as a whole.</summary>
    public static TextPiece[] Whole(IReadOnlyList<Document> documents) =>
        [.. documents.Select(document => new TextPiece(document, 0, document.Bytes))];

    /// <summary>Cuts <paramref name="documents"/> so that the last <paramref name="share"/> of the bytes validates.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The share is not in [0, 1].</exception>
    public static Split Of(IReadOnlyList<Document> documents, double share, bool atCharacter)
    {
        if (!(share is >= 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(share), $"the validation share {share} is not in [0, 1]");
        }

        // In decimals: 0.9 of a count has no exact double, and the floor must not depend on its rounding.
        long rest = (long)decimal.Floor((1m - (decimal)share) * documents.Sum(document => document.Bytes));
        var train = new List<TextPiece>();
        var validation = new List<TextPiece>();
        foreach (Document document in documents)
        {
            long cut = Math.Min(rest, document.Bytes);
            rest -= cut;
            cut = atCharacter ? CharacterStart(document, cut) : cut;
            if (cut > 0)
            {
                train.Add(new TextPiece(document, 0, cut));
            }

            if (cut < document.Bytes)
            {
                validation.Add(new TextPiece(document, cut, document.Bytes));
            }
        }

        return new Split(train, validation);
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
