namespace NanoFold.Engine.Configuration;

/// <summary>Finds the known name that a misspelled one may stand for.</summary>
public static class NearestName
{
    /// <summary>The candidate closest to <paramref name="name"/>, or null where none is close: case, dashes and underscores do not count.</summary>
    public static string? Among(string name, IEnumerable<string> candidates)
    {
        string wanted = Normal(name);
        int limit = Math.Max(1, Math.Min(3, wanted.Length / 3));
        string? best = null;
        int bestDistance = limit + 1;
        foreach (string candidate in candidates)
        {
            int distance = Distance(wanted, Normal(candidate));
            if (distance < bestDistance)
            {
                (best, bestDistance) = (candidate, distance);
            }
        }

        return best;
    }

    /// <summary>A name as it is compared: letters and digits only, small.</summary>
    internal static string Normal(string name)
        => string.Concat(name.Where(char.IsLetterOrDigit)).ToLowerInvariant();

    // Edits and swaps of neighbors (optimal string alignment).
    private static int Distance(string a, string b)
    {
        if (Math.Abs(a.Length - b.Length) > 3)
        {
            return int.MaxValue;
        }

        var d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    d[i, j] = i + j;
                    continue;
                }

                int cost = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }
}
