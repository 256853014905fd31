using NanoFold.Reports.Charts;

namespace NanoFold.Reports.Comparisons;

/// <summary>
/// Colors and styles of variants. Those of a grid, whose names are the same but for the values of settings after them (<c>gru width=32</c>, <c>gru width=64</c>), share a color and
/// differ in style; all others have a color of their own as long as there are any.
/// </summary>
internal static class VariantLooks
{
    /// <summary>A look for each name, no two the same.</summary>
    public static (int Color, int Style)[] Of(IReadOnlyList<string> names)
    {
        string[] kinds = [.. names.Select(Kind)], distinct = [.. kinds.Distinct()];
        int most = kinds.GroupBy(kind => kind).Select(kind => kind.Count()).DefaultIfEmpty(1).Max();
        var members = new Dictionary<string, int>();
        return
        [
            .. kinds.Select(kind =>
            {
                int of = Array.IndexOf(distinct, kind), member = members.GetValueOrDefault(kind);
                members[kind] = member + 1;
                return (of % Color.Count, (of / Color.Count * most) + member);
            }),
        ];
    }

    // The name before the first word with a value.
    private static string Kind(string name)
    {
        string kind = string.Join(' ', name.Split(' ').TakeWhile(word => !word.Contains('=')));
        return kind.Length > 0 ? kind : name;
    }
}
