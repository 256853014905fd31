namespace NanoFold.Engine.Text;

/// <summary>How a BPE model of a <c>tokenizer.json</c> makes symbols of characters.</summary>
internal sealed record BpeOptions
{
    /// <summary>What stands for a character that is no token; without it such characters vanish.</summary>
    public string? Unknown { get; init; }

    /// <summary>Before every symbol of a piece but the first.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>After the last symbol of a piece.</summary>
    public string Suffix { get; init; } = "";

    /// <summary>Neighboring unknown characters are one.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>A character that is no token becomes its bytes, if there is a token for each of them.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A piece that is a token as a whole is that token.</summary>
    public bool IgnoreMerges { get; init; }
}
