using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>Which characters are the same but for their case.</summary>
internal static class CaseFolding
{
    // Beyond it nothing has a case.
    private const int LastCased = 0x1FFFF;
    private const int LongS = 0x17F;
    private static readonly Lazy<Dictionary<int, List<int>>> s_groups = new(Build);

    /// <summary>The set with all that differs from its characters in case only, such as ſ and K (the unit) beside s and k.</summary>
    public static CodePointSet Close(CodePointSet set)
    {
        var more = new List<(int, int)>(set.Ranges);
        foreach (List<int> group in s_groups.Value.Values)
        {
            if (group.Exists(set.Contains))
            {
                more.AddRange(group.Select(point => (point, point)));
            }
        }

        return CodePointSet.Of(more);
    }

    private static Dictionary<int, List<int>> Build()
    {
        var groups = new Dictionary<int, List<int>>();
        for (int point = 0; point <= LastCased; point++)
        {
            if (Rune.IsValid(point))
            {
                // .NET does not take the long s for a small one.
                int key = point == LongS ? 's' : Rune.ToLowerInvariant(Rune.ToUpperInvariant(new Rune(point))).Value;
                if (!groups.TryGetValue(key, out List<int>? group))
                {
                    groups[key] = group = [];
                }

                group.Add(point);
            }
        }

        return groups.Where(group => group.Value.Count > 1).ToDictionary(group => group.Key, group => group.Value);
    }
}
