using System.Globalization;
using System.Text;

namespace NanoFold.Engine;

/// <summary>
/// Numbers and names for people: counts and figures have commas between thousands, everywhere. What is typed back (settings, seeds, token ids) has none, and JSON neither.
/// </summary>
public static class Display
{
    private static readonly string[] s_binary = [" B", " KiB", " MiB", " GiB", " TiB"];
    private static readonly string[] s_decimal = ["", " k", " M", " G", " T", " P", " E"];

    /// <summary>A count: <c>1,024</c>.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count that is kept as a floating-point number.</summary>
    public static string Count(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count and what is counted: <c>1 layer</c>, <c>4 layers</c>.</summary>
    public static string Count(long value, string noun) => $"{Count(value)} {noun}{(value == 1 ? "" : "s")}";

    /// <summary>Whole numbers from one to another: <c>4–7</c>; one of them where they are the same.</summary>
    public static string Range(long from, long to) => from == to ? Count(from) : $"{Count(from)}–{Count(to)}";

    /// <summary>A figure in a format of .NET: <c>1,234.50</c>.</summary>
    public static string Number(double value, string format = "0.##") => value.ToString(format.StartsWith('0') ? $"#,{format}" : format, CultureInfo.InvariantCulture);

    /// <summary>A loss or a score, with four decimals: <c>1.8312</c>.</summary>
    public static string Figure(double value) => Number(value, "0.0000");

    /// <summary>With a sign, also where it is positive; a minus is as wide as a plus.</summary>
    public static string Signed(double value, string format = "0.0000") => value < 0 ? "−" + Number(-value, format) : "+" + Number(value, format);

    /// <summary>With three digits and a decimal prefix: <c>5.12 M</c>.</summary>
    public static string Short(double value) => Scaled(value, 1000, s_decimal);

    /// <summary>With three digits, a decimal prefix and a unit: <c>5.12 MFLOP</c>.</summary>
    public static string Short(double value, string unit) => Short(value) + (Math.Abs(value) < 1000 ? " " : "") + unit;

    /// <summary>With three digits and a binary prefix: <c>5.12 MiB</c>.</summary>
    public static string Bytes(double value) => Scaled(value, 1024, s_binary);

    /// <summary>A time in a table: <c>12.4 s</c>, <c>3:25 min</c>, <c>2:05 h</c>.</summary>
    public static string Duration(double seconds)
    {
        var time = TimeSpan.FromSeconds(Math.Round(seconds));
        return time.TotalMinutes < 1 ? Number(seconds, "0.#") + " s" : time.TotalHours < 1 ? $"{time.Minutes}:{time.Seconds:00} min" : $"{(int)time.TotalHours}:{time.Minutes:00} h";
    }

    /// <summary>A time that goes on, or is left: hours where there are any, minutes and seconds, <c>1:02:05</c>.</summary>
    public static string Clock(double seconds)
    {
        var time = TimeSpan.FromSeconds(Math.Ceiling(Math.Min(seconds, 1e8)));
        return time.TotalHours >= 1 ? $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}" : $"{time.Minutes}:{time.Seconds:00}";
    }

    /// <summary>A key in words: <c>participation ratio</c> of <c>participationRatio</c>.</summary>
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
        return Number(value, i == 0 && value == Math.Floor(value) ? "0" : size < 10 ? "0.00" : size < 100 ? "0.0" : "0") + units[i];
    }
}
