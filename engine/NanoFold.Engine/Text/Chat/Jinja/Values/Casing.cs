using System.Globalization;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Upper, lower and title case of whole texts, in which a letter may become several (Unicode's SpecialCasing).</summary>
internal static class Casing
{
    private const int Sigma = 0x3A3;

    // A letter and what it becomes.
    private static readonly Dictionary<int, string> s_upper = Table(
        "\u00DF\u0053\u0053 \u0149\u02BC\u004E \u01F0\u004A\u030C \u0390\u0399\u0308\u0301 \u03B0\u03A5\u0308\u0301 \u0587\u0535\u0552"
        + " \u1E96\u0048\u0331 \u1E97\u0054\u0308 \u1E98\u0057\u030A \u1E99\u0059\u030A \u1E9A\u0041\u02BE \u1F50\u03A5\u0313"
        + " \u1F52\u03A5\u0313\u0300 \u1F54\u03A5\u0313\u0301 \u1F56\u03A5\u0313\u0342 \u1FB2\u1FBA\u0399 \u1FB3\u0391\u0399 \u1FB4\u0386\u0399"
        + " \u1FB6\u0391\u0342 \u1FB7\u0391\u0342\u0399 \u1FBC\u0391\u0399 \u1FC2\u1FCA\u0399 \u1FC3\u0397\u0399 \u1FC4\u0389\u0399"
        + " \u1FC6\u0397\u0342 \u1FC7\u0397\u0342\u0399 \u1FCC\u0397\u0399 \u1FD2\u0399\u0308\u0300 \u1FD3\u0399\u0308\u0301 \u1FD6\u0399\u0342"
        + " \u1FD7\u0399\u0308\u0342 \u1FE2\u03A5\u0308\u0300 \u1FE3\u03A5\u0308\u0301 \u1FE4\u03A1\u0313 \u1FE6\u03A5\u0342 \u1FE7\u03A5\u0308\u0342"
        + " \u1FF2\u1FFA\u0399 \u1FF3\u03A9\u0399 \u1FF4\u038F\u0399 \u1FF6\u03A9\u0342 \u1FF7\u03A9\u0342\u0399 \u1FFC\u03A9\u0399"
        + " \uFB00\u0046\u0046 \uFB01\u0046\u0049 \uFB02\u0046\u004C \uFB03\u0046\u0046\u0049 \uFB04\u0046\u0046\u004C \uFB05\u0053\u0054"
        + " \uFB06\u0053\u0054 \uFB13\u0544\u0546 \uFB14\u0544\u0535 \uFB15\u0544\u053B \uFB16\u054E\u0546 \uFB17\u0544\u053D");

    private static readonly Dictionary<int, string> s_title = Table(
        "\u00DF\u0053\u0073 \u01C4\u01C5 \u01C5\u01C5 \u01C6\u01C5 \u01C7\u01C8 \u01C8\u01C8"
        + " \u01C9\u01C8 \u01CA\u01CB \u01CB\u01CB \u01CC\u01CB \u01F1\u01F2 \u01F2\u01F2"
        + " \u01F3\u01F2 \u0587\u0535\u0582 \u1FB2\u1FBA\u0345 \u1FB3\u1FBC \u1FB4\u0386\u0345 \u1FB7\u0391\u0342\u0345"
        + " \u1FBC\u1FBC \u1FC2\u1FCA\u0345 \u1FC3\u1FCC \u1FC4\u0389\u0345 \u1FC7\u0397\u0342\u0345 \u1FCC\u1FCC"
        + " \u1FF2\u1FFA\u0345 \u1FF3\u1FFC \u1FF4\u038F\u0345 \u1FF7\u03A9\u0342\u0345 \u1FFC\u1FFC \uFB00\u0046\u0066"
        + " \uFB01\u0046\u0069 \uFB02\u0046\u006C \uFB03\u0046\u0066\u0069 \uFB04\u0046\u0066\u006C \uFB05\u0053\u0074 \uFB06\u0053\u0074"
        + " \uFB13\u0544\u0576 \uFB14\u0544\u0565 \uFB15\u0544\u056B \uFB16\u054E\u0576 \uFB17\u0544\u056D");

    public static string Upper(string text) => Map(text, Upper);

    public static string Lower(string text)
    {
        if (Ascii.IsValid(text))
        {
            return text.ToLowerInvariant();
        }

        var lower = new StringBuilder(text.Length);
        Rune[] runes = [.. text.EnumerateRunes()];
        for (int i = 0; i < runes.Length; i++)
        {
            _ = runes[i].Value switch
            {
                0x130 => lower.Append("i\u0307"),
                Sigma => lower.Append(IsFinal(runes, i) ? '\u03C2' : '\u03C3'),
                _ => lower.Append(Rune.ToLowerInvariant(runes[i])),
            };
        }

        return lower.ToString();
    }

    /// <summary>The first letter in title case, the others in lower case.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0)
        {
            return text;
        }

        int first = PointText.LengthAt(text, 0);
        // The end of a word is told with what stands before it.
        string lower = Lower(text);
        int skipped = Lower(text[..first]).Length;
        return Map(text[..first], Title) + lower[skipped..];
    }

    /// <summary>Each run of letters capitalized.</summary>
    public static string TitleWords(string text)
    {
        var title = new StringBuilder(text.Length);
        Rune[] runes = [.. text.EnumerateRunes()];
        bool isInside = false;
        for (int i = 0; i < runes.Length; i++)
        {
            bool cased = IsCased(runes[i]);
            title.Append(!isInside ? Title(runes[i]) : runes[i].Value == Sigma ? (IsFinal(runes, i) ? "\u03C2" : "\u03C3") : Lower(runes[i].ToString()));
            isInside = cased;
        }

        return title.ToString();
    }

    public static string SwapCase(string text)
    {
        var swapped = new StringBuilder(text.Length);
        Rune[] runes = [.. text.EnumerateRunes()];
        for (int i = 0; i < runes.Length; i++)
        {
            swapped.Append(IsUpper(runes[i]) ? (runes[i].Value == Sigma && IsFinal(runes, i) ? "\u03C2" : Lower(runes[i].ToString())) : IsLower(runes[i]) ? Upper(runes[i]) : runes[i].ToString());
        }

        return swapped.ToString();
    }

    /// <summary>Whether a letter has a case.</summary>
    public static bool IsCased(Rune rune) => IsUpper(rune) || IsLower(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;

    public static bool IsUpper(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.UppercaseLetter
        || rune.Value is (>= 0x2160 and <= 0x216F) or (>= 0x24B6 and <= 0x24CF) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    public static bool IsLower(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.LowercaseLetter
        || rune.Value is 0xAA or 0xBA or (>= 0x2B0 and <= 0x2B8) or 0x2C0 or 0x2C1 or (>= 0x2E0 and <= 0x2E4) or (>= 0x2170 and <= 0x217F) or (>= 0x24D0 and <= 0x24E9);

    private static string Upper(Rune rune) => s_upper.TryGetValue(rune.Value, out string? several) ? several
        : rune.Value is >= 0x1F80 and <= 0x1FAF ? $"{(char)(0x1F08 + (((rune.Value - 0x1F80) >> 4) switch { 0 => 0, 1 => 0x20, _ => 0x60 }) + (rune.Value & 7))}\u0399"
        : rune.Value switch { 0x131 => "I", 0x17F => "S", _ => Rune.ToUpperInvariant(rune).ToString() };

    private static string Title(Rune rune) => s_title.TryGetValue(rune.Value, out string? title) ? title
        : rune.Value is >= 0x1F80 and <= 0x1FAF ? ((char)(rune.Value | 8)).ToString()
        : rune.Value is >= 0x10D0 and <= 0x10FF ? rune.ToString()
        : Upper(rune);

    private static string Map(string text, Func<Rune, string> map)
    {
        var mapped = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            mapped.Append(map(rune));
        }

        return mapped.ToString();
    }

    // A sigma after a letter and before none, whatever is passed over between.
    private static bool IsFinal(Rune[] runes, int at)
    {
        int before = at - 1, after = at + 1;
        while (before >= 0 && IsPassedOver(runes[before]))
        {
            before--;
        }

        while (after < runes.Length && IsPassedOver(runes[after]))
        {
            after++;
        }

        return before >= 0 && IsCased(runes[before]) && (after == runes.Length || !IsCased(runes[after]));
    }

    private static bool IsPassedOver(Rune rune) => rune.Value is '\'' or '.' or ':' or '^' or '`' or 0xA8 or 0xAD or 0xAF or 0xB4 or 0xB7 or 0xB8 or 0x2019
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    private static Dictionary<int, string> Table(string entries) => entries.Split(' ').ToDictionary(entry => (int)entry[0], entry => entry[1..]);
}
