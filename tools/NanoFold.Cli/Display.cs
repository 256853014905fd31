using System.Globalization;

namespace NanoFold.Cli;

/// <summary>
/// Numbers for people: counts and figures have commas between thousands, everywhere. What is typed back (settings, seeds, token ids) has none, and JSON neither.
/// </summary>
internal static class Display
{
    private static readonly string[] s_binary = ["B", "KiB", "MiB", "GiB", "TiB"];
    private static readonly string[] s_decimal = ["", " k", " M", " G", " T", " P"];

    // What no shell takes for anything else.
    private static readonly string s_plain = "_-+=:,./@%" + (OperatingSystem.IsWindows() ? @"\" : "");

    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count and what is counted: <c>1 layer</c>, <c>4 layers</c>.</summary>
    public static string Count(long value, string noun) => $"{Count(value)} {noun}{(value == 1 ? "" : "s")}";

    public static string Bytes(long value) => Scaled(value, 1024, s_binary, " ");

    /// <summary>With a decimal prefix before <paramref name="unit"/>: <c>5.1 MFLOP</c>.</summary>
    public static string Quantity(double value, string unit) => Scaled(value, 1000, s_decimal, "") + (value < 1000 ? " " : "") + unit;

    public static string Number(double value, string format = "0.##") => value.ToString(format.StartsWith('0') ? $"#,{format}" : format, CultureInfo.InvariantCulture);

    /// <summary>A path as a shell reads it: in quotes where it needs them, and never taken for an option.</summary>
    public static string Argument(string path)
    {
        path = path.StartsWith('-') ? $"./{path}" : path;
        if (path.All(c => char.IsLetterOrDigit(c) || s_plain.Contains(c)))
        {
            return path;
        }

        return OperatingSystem.IsWindows() ? $"\"{path}\"" : $"'{path.Replace("'", @"'\''")}'";
    }

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
