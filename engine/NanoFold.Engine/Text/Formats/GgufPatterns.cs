namespace NanoFold.Engine.Text;

/// <summary>How llama.cpp cuts texts, by the names of <c>tokenizer.ggml.pre</c>: each expression cuts what those before it left.</summary>
internal static class GgufPatterns
{
    private const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Digit = @"\p{N}";
    private const string Endings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

    // Several names for one way stand together; the first is the one that is written.
    private static readonly (string[] Names, string[] Patterns)[] s_known =
    [
        (["gpt-2", "phi-2", "olmo", "mpt", "exaone", "jais"], [StageReader.Gpt2]),
        (["default"], [@"[\p{P}\$\+<=>\^~\|]+", @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)", @"\p{N}+", "[0-9][0-9][0-9]"]),
        (["llama-bpe", "llama3", "llama-v3"], [Llama3]),
        (["dbrx", "falcon3", "smaug-bpe", "chatglm-bpe", "glm4"], [Llama3]),
        (["qwen2", "stablelm2", "hunyuan", "megrez", "deepseek-r1-qwen"], [Llama3.Replace("{1,3}", "", StringComparison.Ordinal)]),
        (["smollm", "starcoder", "refact", "command-r", "codeshell", "granite"], [Digit, StageReader.Gpt2]),
        (["falcon"], [@"[\p{P}\$\+<=>\^~\|`]+", StageReader.Gpt2, "[0-9][0-9][0-9]"]),
        (["gpt-4o", "llama4", "o200k"], [TiktokenFile.O200k]),
        (["tekken"], [TiktokenFile.O200k.Replace(Endings, "", StringComparison.Ordinal).Replace("{1,3}", "", StringComparison.Ordinal)]),
        (["deepseek-coder"], [@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", "[一-龥ࠀ-一가-\uD7FF]+", Digit]),
        (
            ["deepseek-v3"],
            [
                @"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
                @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            ]),
    ];

    /// <summary>The expressions of a name, or null.</summary>
    public static string[]? Of(string pre) => Array.Find(s_known, known => known.Names.Contains(pre)).Patterns;

    /// <summary>The name of expressions, or null.</summary>
    public static string? NameOf(IEnumerable<string> patterns, bool ignoreMerges) =>
        Array.Find(s_known, known => known.Patterns.SequenceEqual(patterns) && IgnoresMerges(known.Names[0]) == ignoreMerges).Names?[0];

    /// <summary>Whether a piece that is a token is taken as it is.</summary>
    public static bool IgnoresMerges(string pre) => pre is "llama-bpe" or "llama3" or "llama-v3" or "tekken";
}
