namespace NanoFold.Engine.Data;

/// <summary>How documents become one row of tokens. Where each begins is kept either way.</summary>
public enum DocumentMode
{
    /// <summary>Several documents are marked where the tokenizer has marks or can learn them, otherwise joined. Bytes are joined.</summary>
    Auto,

    /// <summary>One after the other, with nothing between them.</summary>
    Join,

    /// <summary>Each between a BOS and an EOS token.</summary>
    Mark,
}
