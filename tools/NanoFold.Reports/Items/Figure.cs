using System.Globalization;
using NanoFold.Reports.Charts;

namespace NanoFold.Reports.Items;

/// <summary>
/// A chart with its title, its caption, its data as CSV and the command that makes it again. Several views of the same are one figure with a choice: loss against
/// tokens, FLOPs or seconds.
/// </summary>
/// <param name="Title">What it shows.</param>
/// <param name="Views">Its views, the first one shown.</param>
public sealed record Figure(string Title, params IReadOnlyList<IChart> Views) : IReportItem
{
    /// <summary>How it is read; <c>`code`</c> between backticks.</summary>
    public string Caption { get; init; } = "";

    /// <summary>The kinds of measures that it shows: their definitions on the page are linked.</summary>
    public IReadOnlyList<string> Measures { get; init; } = [];

    /// <summary>The command that makes it again; null for the page's.</summary>
    public string? Command { get; init; }

    /// <summary>Whether two such figures stand beside each other where the screen is wide enough.</summary>
    public bool IsHalf { get; init; }

    /// <summary>In pixels, on a wide screen.</summary>
    public int Height { get; init; } = 400;

    public void Write(HtmlText html, string id, string? command)
    {
        html.Raw("<figure class=\"chart\" id=\"").Text(id).Raw("\"><div class=\"top\"><h3>").Text(Title).Raw("</h3>");
        if (Views.Count > 1)
        {
            html.Raw("<div class=\"tabs\" role=\"group\" aria-label=\"What is shown\">");
            for (int i = 0; i < Views.Count; i++)
            {
                html.Raw(i == 0 ? "<button type=\"button\" aria-pressed=\"true\">" : "<button type=\"button\" aria-pressed=\"false\">").Text(Views[i].Name).Raw("</button>");
            }

            html.Raw("</div>");
        }

        html.Raw("</div>\n<div class=\"legend\" role=\"group\" aria-label=\"What is drawn\"></div>\n").Raw(string.Create(CultureInfo.InvariantCulture, $"<div class=\"plot\" data-height=\"{Height}\" style=\"height:{Height}px\" role=\"img\" aria-label=\"")).Text(Title).Raw("\"></div>\n");
        string[] defined = [.. Measures.Where(MeasureDefinition.All.ContainsKey)];
        if (Caption.Length > 0 || defined.Length > 0)
        {
            html.Raw("<figcaption>").Inline(Caption);
            for (int i = 0; i < defined.Length; i++)
            {
                html.Raw(i > 0 ? ", " : defined.Length > 1 ? " Definitions: " : " Definition: ").Raw("<a href=\"#").Text(MeasureDefinition.Id(defined[i])).Raw("\">").Text(defined[i]).Raw("</a>").Raw(i == defined.Length - 1 ? "." : "");
            }

            html.Raw("</figcaption>\n");
        }

        html.Raw("<div class=\"tools\"><button type=\"button\" class=\"csv\">data as CSV</button>");
        if ((Command ?? command) is { } again)
        {
            html.Raw("<details><summary>command</summary><pre class=\"command\"><code>").Text(again).Raw("</code></pre></details>");
        }

        html.Raw("</div>\n<script type=\"application/json\">[");
        for (int i = 0; i < Views.Count; i++)
        {
            html.Raw(i == 0 ? "" : ",").Json(PlotlyChart.ToJson(Views[i]));
        }

        html.Raw("]</script></figure>\n");
    }
}
