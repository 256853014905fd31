using System.Globalization;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary><c>strftime</c> in the C locale, with the flags that take away or change padding.</summary>
internal static class ClockFormat
{
    public static string Apply(string format, DateTime now)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            int at = i + 1;
            char flag = format[at] is '-' or '_' or '0' or '^' or '#' && at + 1 < format.Length ? format[at++] : '\0';
            string? part = Part(format[at], flag, now);
            text.Append(part is null ? format[i..(at + 1)] : flag == '^' ? part.ToUpperInvariant() : part);
            i = at;
        }

        return text.ToString();
    }

    private static string? Part(char kind, char flag, DateTime now) => kind switch
    {
        'Y' => Number(now.Year, 1, flag, ' '),
        'C' => Number(now.Year / 100, 2, flag),
        'y' => Number(now.Year % 100, 2, flag),
        'm' => Number(now.Month, 2, flag),
        'd' => Number(now.Day, 2, flag),
        'e' => Number(now.Day, 2, flag, ' '),
        'H' => Number(now.Hour, 2, flag),
        'k' => Number(now.Hour, 2, flag, ' '),
        'I' => Number((now.Hour + 11) % 12 + 1, 2, flag),
        'l' => Number((now.Hour + 11) % 12 + 1, 2, flag, ' '),
        'M' => Number(now.Minute, 2, flag),
        'S' => Number(now.Second, 2, flag),
        'f' => (now.Ticks % TimeSpan.TicksPerSecond / 10).ToString("000000", CultureInfo.InvariantCulture),
        'j' => Number(now.DayOfYear, 3, flag),
        'U' => Number((now.DayOfYear + 6 - (int)now.DayOfWeek) / 7, 2, flag),
        'W' => Number((now.DayOfYear + 6 - (((int)now.DayOfWeek + 6) % 7)) / 7, 2, flag),
        'V' => Number(ISOWeek.GetWeekOfYear(now), 2, flag),
        'G' => Number(ISOWeek.GetYear(now), 1, flag),
        'g' => Number(ISOWeek.GetYear(now) % 100, 2, flag),
        'u' => Number(now.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)now.DayOfWeek, 1, flag),
        'w' => Number((int)now.DayOfWeek, 1, flag),
        'a' => now.ToString("ddd", CultureInfo.InvariantCulture),
        'A' => now.ToString("dddd", CultureInfo.InvariantCulture),
        'b' or 'h' => now.ToString("MMM", CultureInfo.InvariantCulture),
        'B' => now.ToString("MMMM", CultureInfo.InvariantCulture),
        'p' => flag == '#' ? (now.Hour < 12 ? "am" : "pm") : now.Hour < 12 ? "AM" : "PM",
        'P' => now.Hour < 12 ? "am" : "pm",
        'c' => Apply("%a %b %e %H:%M:%S %Y", now),
        'x' or 'D' => Apply("%m/%d/%y", now),
        'X' or 'T' => Apply("%H:%M:%S", now),
        'r' => Apply("%I:%M:%S %p", now),
        'R' => Apply("%H:%M", now),
        'F' => Apply("%Y-%m-%d", now),
        's' => new DateTimeOffset(now).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'z' or 'Z' => "",
        'n' => "\n",
        't' => "\t",
        '%' => "%",
        _ => null,
    };

    private static string Number(int value, int width, char flag, char pad = '0')
    {
        string digits = value.ToString(CultureInfo.InvariantCulture);
        return flag == '-' ? digits : digits.PadLeft(width, flag switch { '_' => ' ', '0' => '0', _ => pad });
    }
}
