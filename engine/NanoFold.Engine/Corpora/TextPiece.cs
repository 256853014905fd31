namespace NanoFold.Engine.Corpora;

/// <summary>The bytes [<paramref name="From"/>, <paramref name="To"/>) of a document.</summary>
public sealed record TextPiece(Document Document, long From, long To)
{
    /// <summary>Its length.</summary>
    public long Bytes => To - From;

    /// <summary>True where the document begins with it.</summary>
    public bool Begins => From == 0;

    /// <summary>True where the document ends with it.</summary>
    public bool Ends => To == Document.Bytes;
}
