using System.Text.RegularExpressions;

namespace NanoFold.Reports.Items;

/// <summary>What a measure is, as <c>docs/measures.md</c> says it.</summary>
/// <param name="Kind">The kind, as in <c>geometry.measures</c>.</param>
/// <param name="Figures">The names of its figures.</param>
/// <param name="Meaning">What they are.</param>
/// <param name="Tokens">Which tokens it looks at; empty for none.</param>
/// <param name="Centered">Whether values are centered first; empty where that does not apply.</param>
public sealed partial record MeasureDefinition(string Kind, string Figures, string Meaning, string Tokens, string Centered)
{
    private static readonly Lazy<IReadOnlyDictionary<string, MeasureDefinition>> s_all = new(Read);

    /// <summary>Those of all measures, by kind.</summary>
    public static IReadOnlyDictionary<string, MeasureDefinition> All => s_all.Value;

    /// <summary>Where the definition of a kind stands on a page.</summary>
    public static string Id(string kind) => $"def-{kind}";

    private static Dictionary<string, MeasureDefinition> Read()
    {
        using var reader = new StreamReader(typeof(MeasureDefinition).Assembly.GetManifestResourceStream("measures.md")!);
        var found = new Dictionary<string, MeasureDefinition>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            // | `kind` | tier | figures | what they are | tokens | centered |, the last one or two not in every table.
            string[] cells = [.. Bar().Split(line).Select(cell => cell.Trim().Replace("\\|", "|", StringComparison.Ordinal))];
            if (cells is [_, ['`', .., '`'] kind, [>= '0' and <= '3'], var figures, var meaning, .. var rest, ""])
            {
                found[kind.Trim('`')] = new(kind.Trim('`'), figures, meaning, rest.ElementAtOrDefault(0) ?? "", rest.ElementAtOrDefault(1) ?? "");
            }
        }

        return found;
    }

    // One that is not escaped.
    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex Bar();
}

/// <summary>Definitions of measures, each at a place of its own that charts link to.</summary>
/// <param name="Kinds">In the order in which they are shown; those without a definition are passed over.</param>
public sealed record Definitions(IReadOnlyList<string> Kinds) : IReportItem
{
    public void Write(HtmlText html, string id, string? command)
    {
        html.Raw("<dl class=\"definitions\">\n");
        foreach (string kind in Kinds.Distinct().Where(MeasureDefinition.All.ContainsKey))
        {
            MeasureDefinition definition = MeasureDefinition.All[kind];
            html.Raw("<div id=\"").Text(MeasureDefinition.Id(kind)).Raw("\" tabindex=\"-1\"><dt><code>").Text(kind).Raw("</code></dt><dd><p>").Inline(definition.Figures).Raw("</p><p>").Inline(definition.Meaning).Raw("</p>");
            if (definition.Tokens.Length > 0)
            {
                html.Raw("<p class=\"soft\">Tokens: ").Inline(definition.Tokens).Raw(definition.Centered.Length > 0 ? $"; centered: " : "").Inline(definition.Centered).Raw(".</p>");
            }

            html.Raw("</dd></div>\n");
        }

        html.Raw("</dl>\n");
    }
}
