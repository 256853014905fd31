using NanoFold.Reports.Charts;

namespace NanoFold.Reports.Comparisons;

/// <summary>
/// Colors and styles of variants. Those of a grid, whose names are the same but for the values of settings after them (<c>gru width=32</c>, <c>gru width=64</c>), share a color and
/// differ in style; all others have a color of their own as long as there are any.
/// </summary>
internal static class VariantLooks
{
    /// <summary>A look for each name, no two the same; the same values have the same style as far as colors last.</summary>
    public static (int Color, int Style)[] Of(IReadOnlyList<string> names)
    {
        string[] kinds = [.. names.Select(Kind).Distinct()], values = [.. names.Select(Values).Distinct().OrderBy(text => text.Length).ThenBy(text => text, StringComparer.Ordinal)];
        var taken = new HashSet<(int Color, int Style)>();
        return
        [
            .. names.Select(name =>
            {
                int kind = Array.IndexOf(kinds, Kind(name));
                (int Color, int Style) look = (kind % Color.Count, (kind / Color.Count * values.Length) + Array.IndexOf(values, Values(name)));
                while (!taken.Add(look))
                {
                    look.Style++;
                }

                return look;
            }),
        ];
    }

    private static string Values(string name) => name[Kind(name).Length..];

    // The name before the first word with a value.
    private static string Kind(string name)
    {
        string kind = string.Join(' ', name.Split(' ').TakeWhile(word => !word.Contains('=')));
        return kind.Length > 0 ? kind : name;
    }
}
