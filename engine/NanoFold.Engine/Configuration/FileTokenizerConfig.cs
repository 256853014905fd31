namespace NanoFold.Engine.Configuration;

/// <summary>A tokenizer that exists: a <c>tokenizer.json</c>.</summary>
public sealed record FileTokenizerConfig : TokenizerConfig
{
    /// <summary>The file, or the folder it lies in.</summary>
    public string? Path { get; init; }

    /// <inheritdoc/>
    public override int ExpectedVocab(DataConfig data) => 0;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path)
    {
        if (string.IsNullOrWhiteSpace(Path))
        {
            yield return new ConfigProblem($"{path}.path", "is needed for kind \"file\": name a tokenizer.json");
        }
    }
}
