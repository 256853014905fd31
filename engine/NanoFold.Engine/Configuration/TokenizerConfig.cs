using System.Text.Json.Serialization;

namespace NanoFold.Engine.Configuration;

/// <summary>The section <c>tokenizer</c>: how text becomes tokens.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(BpeTokenizerConfig), "bpe")]
[JsonDerivedType(typeof(ByteTokenizerConfig), "byte")]
[JsonDerivedType(typeof(FileTokenizerConfig), "file")]
public abstract record TokenizerConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>Symbols to reckon with before there is a tokenizer; 0 where only its file can tell.</summary>
    public abstract int ExpectedVocab(DataConfig data);

    /// <summary>What is wrong with it.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(string path) => [];
}
