using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>Reads the normalizers of a <c>tokenizer.json</c>.</summary>
internal sealed class NormalizerReader(JsonFields json)
{
    public IReadOnlyList<Normalizer> Read(JsonElement? normalizer) => [.. json.Flat(normalizer, "normalizers").SelectMany(One)];

    /// <summary>What stands in place of what, of a normalizer or a decoder.</summary>
    public Normalizer ReadReplace(JsonElement replace)
    {
        string content = json.Text(JsonFields.Part(replace, "content"), "content");
        JsonElement pattern = JsonFields.Part(replace, "pattern") ?? throw json.Bad("Replace has no pattern");
        return JsonFields.Part(pattern, "String") is { } text
            ? new ReplaceNormalizer(json.Text(text, "pattern"), content)
            : new PatternNormalizer(StageReader.PatternOf(json, json.Text(JsonFields.Part(pattern, "Regex"), "pattern")), content);
    }

    private IEnumerable<Normalizer> One(JsonElement part)
    {
        switch (JsonFields.TypeOf(part))
        {
            case "NFC":
                return [new UnicodeForm(compose: true, compatible: false)];
            case "NFD":
                return [new UnicodeForm(compose: false, compatible: false)];
            case "NFKC":
                return [new UnicodeForm(compose: true, compatible: true)];
            case "NFKD":
                return [new UnicodeForm(compose: false, compatible: true)];
            case "Lowercase":
                return [new LowercaseNormalizer()];
            case "Strip":
                return [new StripNormalizer(json.Flag(part, "strip_left", true), json.Flag(part, "strip_right", true))];
            case "StripAccents":
                return [new CharacterNormalizer(UnicodeClasses.Accents, CodePointSet.None)];
            case "Nmt":
                return [new CharacterNormalizer(s_nmtRemoved, s_nmtSpaces)];
            case "BertNormalizer":
                return Bert(part);
            case "Prepend":
                return [new PrependNormalizer(json.Text(JsonFields.Part(part, "prepend"), "prepend"))];
            case "Replace":
                return [ReadReplace(part)];
            case "ByteLevel":
                return [new ByteMapNormalizer()];
            case "Precompiled":
                return [CharsMap.Read(json.Text(JsonFields.Part(part, "precompiled_charsmap"), "precompiled_charsmap"), json)];
            case var other:
                throw json.Bad($"normalizer '{other}' is not supported");
        }
    }

    private static readonly CodePointSet s_nmtRemoved = CodePointSet.Of([(1, 8), (0xB, 0xB), (0xE, 0x1F), (0x7F, 0x7F), (0x8F, 0x8F), (0x9F, 0x9F)]);

    private static readonly CodePointSet s_nmtSpaces = CodePointSet.Of(
        [(9, 0xA), (0xC, 0xD), (0x1680, 0x1680), (0x200B, 0x200F), (0x2028, 0x2029), (0x2581, 0x2581), (0xFEFF, 0xFEFF), (0xFFFD, 0xFFFD)]);

    private IEnumerable<Normalizer> Bert(JsonElement part)
    {
        bool lower = json.Flag(part, "lowercase", true);
        if (json.Flag(part, "clean_text", true))
        {
            yield return new CharacterNormalizer(UnicodeClasses.BertControls, UnicodeClasses.Space.Without(CodePointSet.Of(0x85)));
        }

        if (json.Flag(part, "handle_chinese_chars", true))
        {
            yield return new ChineseNormalizer();
        }

        if (json.Flag(part, "strip_accents", lower))
        {
            yield return new UnicodeForm(compose: false, compatible: false);
            yield return new CharacterNormalizer(UnicodeClasses.BertAccents, CodePointSet.None);
        }

        if (lower)
        {
            yield return new LowercaseNormalizer();
        }
    }
}
