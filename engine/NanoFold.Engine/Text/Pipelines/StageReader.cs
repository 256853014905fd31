using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>Reads the pre-tokenizers of a <c>tokenizer.json</c>.</summary>
internal sealed class StageReader(JsonFields json)
{
    /// <summary>GPT-2's expression, which ByteLevel has within.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>The pattern of an expression of the file.</summary>
    public static Pattern PatternOf(JsonFields json, string source)
    {
        try
        {
            return Pattern.Of(source, PatternDialect.Oniguruma);
        }
        catch (UserException e)
        {
            throw json.Bad(e.Message);
        }
    }

    /// <summary>Whether the last pre-tokenizer writes bytes as characters.</summary>
    public bool EndsInBytes(JsonElement? cutter) => JsonFields.TypeOf(json.Flat(cutter, "pretokenizers").Cast<JsonElement?>().LastOrDefault()) == "ByteLevel";

    /// <param name="cutter">The pre-tokenizer.</param>
    /// <param name="ofBytes">The model takes bytes as they are: the last step, to write them as characters, is left out.</param>
    public IReadOnlyList<Stage> Read(JsonElement? cutter, bool ofBytes)
    {
        List<Stage> stages = [.. json.Flat(cutter, "pretokenizers").SelectMany(One)];
        if (ofBytes)
        {
            stages.RemoveAt(stages.Count - 1);
        }

        return stages;
    }

    private static PatternStage Of(CodePointSet set, SplitBehavior behavior, string name) => new(Pattern.OfSet(set, name), behavior, invert: false);

    private IEnumerable<Stage> One(JsonElement part)
    {
        switch (JsonFields.TypeOf(part))
        {
            case "ByteLevel":
                return ByteLevel(part);
            case "Split":
                return [Split(part)];
            case "Metaspace":
                return Metaspace(part);
            case "Digits":
                return [Of(UnicodeClasses.Digits, json.Flag(part, "individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous, "Digits")];
            case "Punctuation":
                return [Of(UnicodeClasses.Punctuation, Behavior(part, SplitBehavior.Isolated), "Punctuation")];
            case "WhitespaceSplit":
                return [Of(UnicodeClasses.Space, SplitBehavior.Removed, "WhitespaceSplit")];
            case "Whitespace":
                return [new PatternStage(Pattern.Of(@"\w+|[^\w\s]+", PatternDialect.Rust), SplitBehavior.Removed, invert: true)];
            case "BertPreTokenizer":
                return [Of(UnicodeClasses.Space, SplitBehavior.Removed, "BertPreTokenizer"), Of(UnicodeClasses.Punctuation, SplitBehavior.Isolated, "BertPreTokenizer")];
            case "CharDelimiterSplit":
                return [new TextStage(json.Text(JsonFields.Part(part, "delimiter"), "delimiter"), SplitBehavior.Removed, invert: false)];
            case "UnicodeScripts":
                return [new ScriptStage()];
            case "FixedLength":
                return [new LengthStage(Math.Max(1, json.Count(part, "length", 5)))];
            case var other:
                throw json.Bad($"pre_tokenizer '{other}' is not supported");
        }
    }

    private IEnumerable<Stage> ByteLevel(JsonElement part)
    {
        if (json.Flag(part, "add_prefix_space", true))
        {
            yield return new PrefixSpaceStage();
        }

        if (json.Flag(part, "use_regex", true))
        {
            yield return new PatternStage(Pattern.Of(Gpt2, PatternDialect.Oniguruma), SplitBehavior.Isolated, invert: false);
        }

        yield return new ByteMapStage();
    }

    private IEnumerable<Stage> Metaspace(JsonElement part)
    {
        string replacement = json.Text(part, "replacement", "▁");
        yield return new MetaspaceStage(replacement, Prefix(json, part));
        if (json.Flag(part, "split", true))
        {
            yield return new TextStage(replacement, SplitBehavior.MergedWithNext, invert: false);
        }
    }

    /// <summary>Where a Metaspace puts a space in front; older files say so by <c>add_prefix_space</c>.</summary>
    public static PrefixScheme Prefix(JsonFields json, JsonElement part) => json.Text(part, "prepend_scheme", "") switch
    {
        "" => json.Flag(part, "add_prefix_space", true) ? PrefixScheme.Always : PrefixScheme.Never,
        "always" => PrefixScheme.Always,
        "first" => PrefixScheme.First,
        "never" => PrefixScheme.Never,
        var other => throw json.Bad($"prepend_scheme '{other}' is not supported"),
    };

    private Stage Split(JsonElement part)
    {
        SplitBehavior behavior = Behavior(part, SplitBehavior.Isolated);
        bool invert = json.Flag(part, "invert", false);
        JsonElement pattern = JsonFields.Part(part, "pattern") ?? throw json.Bad("Split has no pattern");
        return JsonFields.Part(pattern, "String") is { } text
            ? new TextStage(json.Text(text, "pattern"), behavior, invert)
            : new PatternStage(PatternOf(json, json.Text(JsonFields.Part(pattern, "Regex"), "pattern")), behavior, invert);
    }

    private SplitBehavior Behavior(JsonElement part, SplitBehavior otherwise) => json.Text(part, "behavior", "") switch
    {
        "" => otherwise,
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        var other => throw json.Bad($"behavior '{other}' is not supported"),
    };
}
