namespace NanoFold.Engine.Configuration;

/// <summary>What becomes of the boundaries between documents.</summary>
public enum DocumentMode
{
    /// <summary>Marked where the corpus has several documents, joined otherwise.</summary>
    Auto,

    /// <summary>One stream without marks.</summary>
    Join,

    /// <summary>Special tokens begin and end each document.</summary>
    Mark,
}
