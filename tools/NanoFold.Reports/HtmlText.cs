using System.Text;

namespace NanoFold.Reports;

/// <summary>HTML that is being written; what is text is escaped.</summary>
public sealed class HtmlText
{
    private readonly StringBuilder _html = new();

    /// <summary>Adds HTML as it is.</summary>
    public HtmlText Raw(string html)
    {
        _html.Append(html);
        return this;
    }

    /// <summary>Adds text, also as the value of an attribute in double quotes. Characters that show nothing and that HTML refuses are shown by their symbols.</summary>
    public HtmlText Text(string text)
    {
        foreach (char c in text)
        {
            _ = c switch
            {
                '<' => _html.Append("&lt;"),
                '>' => _html.Append("&gt;"),
                '&' => _html.Append("&amp;"),
                '"' => _html.Append("&quot;"),
                < ' ' and not ('\n' or '\t') => _html.Append((char)('\u2400' + c)),
                _ => _html.Append(c),
            };
        }

        return this;
    }

    /// <summary>Adds text in which what stands between backticks is code.</summary>
    public HtmlText Inline(string text)
    {
        string[] parts = text.Split('`');
        for (int i = 0; i < parts.Length; i++)
        {
            // A backtick without a second one is a backtick.
            bool isCode = i % 2 == 1 && i < parts.Length - 1;
            Raw(isCode ? "<code>" : i % 2 == 1 ? "`" : "").Text(parts[i]).Raw(isCode ? "</code>" : "");
        }

        return this;
    }

    /// <summary>Adds JSON as the content of a script element.</summary>
    public HtmlText Json(string json) => Raw(json.Replace("<", "\\u003c", StringComparison.Ordinal));

    /// <summary>The address of a folder as a page links to it: from the page's own, each part escaped; null where there is no such folder.</summary>
    /// <param name="pageFolder">Of the page.</param>
    /// <param name="folder">What it leads to.</param>
    internal static string? Link(string pageFolder, string folder)
    {
        string path = Path.GetFullPath(folder), relative = Path.GetRelativePath(Path.GetFullPath(pageFolder), path);
        return !Directory.Exists(path) ? null
            : Path.IsPathRooted(relative) ? new Uri(path + Path.DirectorySeparatorChar).AbsoluteUri
            : string.Concat(relative.Split(Path.DirectorySeparatorChar).Select(part => Uri.EscapeDataString(part) + "/"));
    }

    public override string ToString() => _html.ToString();
}
