using System.Globalization;

namespace NanoFold.Cli;

/// <summary>
/// Numbers for people: counts and figures have commas between thousands, everywhere. What is typed back (settings, seeds, token ids) has none, and JSON neither.
/// </summary>
internal static class Display
{
    private static readonly string[] s_binary = ["B", "KiB", "MiB", "GiB", "TiB"];
    private static readonly string[] s_decimal = ["", " k", " M", " G", " T", " P"];

    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count and what is counted: <c>1 layer</c>, <c>4 layers</c>.</summary>
    public static string Count(long value, string noun) => $"{Count(value)} {noun}{(value == 1 ? "" : "s")}";

    public static string Bytes(long value) => Scaled(value, 1024, s_binary, " ");

    /// <summary>With a decimal prefix before <paramref name="unit"/>: <c>5.1 MFLOP</c>.</summary>
    public static string Quantity(double value, string unit) => Scaled(value, 1000, s_decimal, "") + (value < 1000 ? " " : "") + unit;

    public static string Number(double value, string format = "0.##") => value.ToString(format.StartsWith('0') ? $"#,{format}" : format, CultureInfo.InvariantCulture);

    private static string Scaled(double value, double step, string[] units, string space)
    {
        int i = 0;
        for (; value >= step && i < units.Length - 1; i++)
        {
            value /= step;
        }

        return Number(value, i == 0 ? "0" : value < 10 ? "0.00" : value < 100 ? "0.0" : "0") + space + units[i];
    }
}
