using System.Text;

namespace NanoFold.Tests.Suites.Published;

/// <summary>docs/compatibility.md: a row for each case, written by the suites that compare them.</summary>
internal static class CompatibilityPage
{
    /// <summary>Where it is set, a run of the suites writes the page in place of comparing itself with it.</summary>
    public const string Variable = "NANOFOLD_WRITE_COMPATIBILITY";

    private static readonly Lazy<Dictionary<(string Part, string Case), string>> s_rows = new(() => Rows(File.Exists(PagePath) ? File.ReadAllText(PagePath) : ""));

    public static bool IsWritten => Environment.GetEnvironmentVariable(Variable) == "1";

    private static string PagePath => RepositoryRoot.File("docs/compatibility.md");

    /// <summary>Fails where the page has no row of this case, or gives another reason for refusing it.</summary>
    public static void Require(string part, string name, string text)
    {
        if (IsWritten)
        {
            return;
        }

        bool isRefused = IsRefusal(text);
        if (!s_rows.Value.TryGetValue((part, name), out string? row) || isRefused != IsRefusal(row) || (isRefused && row != text))
        {
            Assert.Fail($"docs/compatibility.md does not say of {part}/{name}: {text}. Write it again: {Command}");
        }
    }

    /// <summary>Writes sections of which cases were found in this run; the others stay as they are.</summary>
    public static void Write(IReadOnlyDictionary<(string Part, string Case), string> found)
    {
        var rows = new Dictionary<(string Part, string Case), string>(s_rows.Value.Where(row => !found.Keys.Any(key => key.Part == row.Key.Part)));
        foreach ((var key, string text) in found)
        {
            rows[key] = text;
        }

        File.WriteAllText(PagePath, Text(rows));
    }

    /// <summary>The rows of a page, by part and case.</summary>
    public static Dictionary<(string Part, string Case), string> Rows(string page)
    {
        var rows = new Dictionary<(string Part, string Case), string>();
        string? part = null;
        foreach (string line in page.Split('\n'))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                part = CompatibilityPart.All.FirstOrDefault(one => one.Title == line[3..])?.Folder;
            }
            else if (part is not null && line.StartsWith("| `", StringComparison.Ordinal) && line.IndexOf("` | ", StringComparison.Ordinal) is > 0 and var end)
            {
                rows[(part, line[3..end])] = line[(end + 4)..^2];
            }
        }

        return rows;
    }

    private static string Command => $"{Variable}=1 dotnet test -c Release tests/NanoFold.Tests --filter Category=Published";

    private static bool IsRefusal(string text) => text.StartsWith("not supported: ", StringComparison.Ordinal);

    private static string Text(Dictionary<(string Part, string Case), string> rows)
    {
        var page = new StringBuilder($"""
            # Compatibility

            What other software computes, and how far NanoFold is from it: every case of a set of references, by the suites of this repository. A figure is the largest difference that was found, in parentheses what the
            suite allows; a row without figures is equal in every bit, token or character. What is not supported says why, and the program refuses it with a line of its own. The reference cases are not part of the repository; where they are
            absent these tests skip. The page is written by

            ```sh
            {Command}
            ```

            | | cases | not supported |
            |---|---|---|

            """.ReplaceLineEndings("\n"));
        foreach (CompatibilityPart part in CompatibilityPart.All)
        {
            string[] own = [.. rows.Where(row => row.Key.Part == part.Folder).Select(row => row.Value)];
            page.Append($"| [{part.Title}](#{Anchor(part.Title)}) | {own.Length} | {own.Count(IsRefusal)} |\n");
        }

        foreach (CompatibilityPart part in CompatibilityPart.All)
        {
            page.Append($"\n## {part.Title}\n\n{part.About}\n\n| case | |\n|---|---|\n");
            foreach (((_, string name), string text) in rows.Where(row => row.Key.Part == part.Folder).OrderBy(row => IsRefusal(row.Value)).ThenBy(row => row.Key.Case, StringComparer.Ordinal))
            {
                page.Append($"| `{name}` | {text} |\n");
            }
        }

        return page.ToString();
    }

    private static string Anchor(string title) => string.Concat(title.ToLowerInvariant().Replace(' ', '-').Where(c => char.IsLetterOrDigit(c) || c == '-'));
}
