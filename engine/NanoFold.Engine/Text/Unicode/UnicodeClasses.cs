using System.Globalization;

namespace NanoFold.Engine.Text;

/// <summary>
/// The classes of characters that patterns and tokenizers name. Letters, marks, numbers and the like are Unicode 16's; what Hugging Face's
/// tokenizers know from older or newer tables is theirs (<see cref="Punctuation"/>, <see cref="Digits"/>, accents).
/// </summary>
internal static class UnicodeClasses
{
    private static readonly string[] s_categories =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    private static readonly Dictionary<string, string> s_longNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L", ["Mark"] = "M", ["Number"] = "N", ["Separator"] = "Z", ["Other"] = "C", ["Punctuation"] = "P", ["Symbol"] = "S",
        ["Uppercase_Letter"] = "Lu", ["Lowercase_Letter"] = "Ll", ["Titlecase_Letter"] = "Lt", ["Modifier_Letter"] = "Lm", ["Other_Letter"] = "Lo",
        ["Decimal_Number"] = "Nd", ["Letter_Number"] = "Nl", ["Other_Number"] = "No", ["Nonspacing_Mark"] = "Mn", ["Spacing_Mark"] = "Mc", ["Enclosing_Mark"] = "Me",
        ["Space_Separator"] = "Zs", ["Control"] = "Cc", ["Format"] = "Cf", ["Unassigned"] = "Cn",
        ["Alpha"] = "L", ["Digit"] = "Nd", ["Upper"] = "Lu", ["Lower"] = "Ll", ["Punct"] = "P",
    };

    private static readonly CodePointSet s_assignedLater = CodePointSet.Of([(0x11DE0, 0x11DE9), (0x16FF4, 0x16FF6)]);

    // Letters in circles and squares, which are symbols.
    private static readonly CodePointSet s_otherAlphabetic = CodePointSet.Of([(0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)]);

    /// <summary><c>\s</c>: White_Space.</summary>
    public static CodePointSet Space { get; } = CodePointSet.Of(
        [(0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)]);

    /// <summary><c>\w</c> of Oniguruma, in which the patterns of a <c>tokenizer.json</c> are written.</summary>
    public static CodePointSet Word { get; } = Category("L").Or(Category("M")).Or(Category("Nd")).Or(Category("Nl")).Or(Category("Pc"))
        .Or(s_otherAlphabetic).Or(CodePointSet.Of([(0xB2, 0xB3), (0xB9, 0xB9), (0xBC, 0xBE)]));

    /// <summary><c>\w</c> of Rust's expressions: tiktoken's, the pre-tokenizer Whitespace's and that of added tokens.</summary>
    public static CodePointSet RustWord { get; } = Word.Without(CodePointSet.Of([(0xB2, 0xB3), (0xB9, 0xB9), (0xBC, 0xBE)])).Or(CodePointSet.Of(0x200C, 0x200D));

    /// <summary>Every number, as of Unicode 17.</summary>
    public static CodePointSet Digits { get; } = Category("N").Or(s_assignedLater);

    /// <summary>Punctuation as of Unicode 8, and all signs of ASCII.</summary>
    public static CodePointSet Punctuation { get; } = Category("P").And(UnicodeData.Shared.UpTo8)
        .Or(CodePointSet.Of([('!', '/'), (':', '@'), ('[', '`'), ('{', '~'), (0x166D, 0x166D), (0x111C9, 0x111C9)]));

    /// <summary>What the normalizer StripAccents takes away: marks as of Unicode 9.</summary>
    public static CodePointSet Accents { get; } = Category("M").And(UnicodeData.Shared.UpTo9).Without(CodePointSet.Of(0x111C9)).Or(CodePointSet.Of(0x1CF2, 0x1CF3));

    /// <summary>What BertNormalizer takes away after decomposition: marks without width as of Unicode 8.</summary>
    public static CodePointSet BertAccents { get; } = Category("Mn").And(UnicodeData.Shared.UpTo8)
        .Without(CodePointSet.Of([(0x1885, 0x1886), (0xA9BD, 0xA9BD), (0x111C9, 0x111C9)])).Or(CodePointSet.Of(0x1734));

    /// <summary>What BertNormalizer cleans away: controls, formats, private use and U+FFFD, as of Unicode 8.</summary>
    public static CodePointSet BertControls { get; } = Category("Cc").Or(Category("Cf")).Or(Category("Co")).And(UnicodeData.Shared.UpTo8)
        .Without(CodePointSet.Of("\t\n\r")).Or(CodePointSet.Of(0xFFFD));

    /// <summary>What one name of <c>\p{…}</c> or <c>[:…:]</c> means, or null.</summary>
    public static CodePointSet? Named(string name)
    {
        string plain = name.Replace(" ", "", StringComparison.Ordinal);
        foreach (string prefix in (string[])["Script=", "sc=", "General_Category=", "gc="])
        {
            plain = plain.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) ? plain[prefix.Length..] : plain;
        }

        plain = s_longNames.GetValueOrDefault(plain, plain);
        return plain switch
        {
            "Any" => CodePointSet.Of(0, CodePoints.Invalid - 1),
            "L&" or "LC" => Category("Lu").Or(Category("Ll")).Or(Category("Lt")),
            "Alphabetic" => Category("L").Or(Category("Nl")).Or(s_otherAlphabetic),
            "Space" or "space" or "White_Space" => Space,
            "Word" or "word" => Word,
            "Alnum" or "alnum" => Category("L").Or(Category("Nd")),
            _ when plain.Length is 1 or 2 && s_categories.Any(category => category.StartsWith(plain, StringComparison.Ordinal)) => Category(plain),
            _ => UnicodeData.Shared.Scripts.GetValueOrDefault(plain),
        };
    }

    /// <summary>A general category by its short name, or several by their common letter.</summary>
    public static CodePointSet Category(string name) =>
        CodePointSet.OfCategories(category => s_categories[Place(category)].StartsWith(name, StringComparison.Ordinal));

    // .NET counts its categories in the order of s_categories.
    private static int Place(UnicodeCategory category) => (int)category;
}
