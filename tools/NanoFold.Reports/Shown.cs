using System.Globalization;
using System.Text;

namespace NanoFold.Reports;

/// <summary>Numbers and names for people.</summary>
internal static class Shown
{
    private static readonly string[] s_decimal = ["", " k", " M", " G", " T", " P", " E"];
    private static readonly string[] s_binary = [" B", " KiB", " MiB", " GiB", " TiB"];

    public static string Count(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>With three digits and a prefix: <c>5.12 M</c>.</summary>
    public static string Short(double value, string unit = "") => Scaled(value, 1000, s_decimal) + (unit.Length > 0 && Math.Abs(value) < 1000 ? " " : "") + unit;

    public static string Bytes(double value) => Scaled(value, 1024, s_binary);

    public static string Figure(double value, string format = "0.0000") => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>With a sign, also where it is positive; a minus is as wide as a plus.</summary>
    public static string Signed(double value, string format = "0.0000") => value < 0 ? "−" + Figure(-value, format) : "+" + Figure(value, format);

    public static string Seconds(double value)
    {
        var time = TimeSpan.FromSeconds(value);
        return value < 60 ? Figure(value, "0.0") + " s" : time.TotalHours < 1 ? $"{time.Minutes}:{time.Seconds:00} min" : $"{(int)time.TotalHours}:{time.Minutes:00} h";
    }

    /// <summary>The name of a kind as a title.</summary>
    public static string Title(string kind) => kind switch
    {
        "twonn" => "TwoNN",
        "cka" => "CKA",
        "gride" => "GRIDE",
        _ => Words(kind) is [var first, .. var rest] ? char.ToUpperInvariant(first) + rest : kind,
    };

    /// <summary>The name of a key in words: <c>participation ratio</c>.</summary>
    public static string Words(string key)
    {
        var words = new StringBuilder(key.Length + 8);
        foreach (char c in key)
        {
            _ = char.IsAsciiLetterUpper(c) && words.Length > 0 ? words.Append(' ').Append(char.ToLowerInvariant(c)) : words.Append(c is '-' or '.' ? ' ' : c);
        }

        return words.ToString();
    }

    private static string Scaled(double value, double step, string[] units)
    {
        int i = 0;
        for (; Math.Abs(value) >= step && i < units.Length - 1; i++)
        {
            value /= step;
        }

        double size = Math.Abs(value);
        return Figure(value, i == 0 && value == Math.Floor(value) ? "0" : size < 10 ? "0.00" : size < 100 ? "0.0" : "0") + units[i];
    }
}
