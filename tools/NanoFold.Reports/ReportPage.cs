using System.Globalization;
using System.Text;
using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports;

/// <summary>
/// A page of figures, tables and text in one HTML file: nothing is fetched, light and dark, for wide and narrow screens. plotly.js is written into it once, where it
/// has a figure. The same content gives the same bytes.
/// </summary>
/// <param name="title">What it is about, in a few words.</param>
public sealed class ReportPage(string title)
{
    private readonly List<ReportSection> _sections = [];

    /// <summary>What it is about.</summary>
    public string Title { get; } = title;

    /// <summary>What kind of page it is, above the title.</summary>
    public string Kind { get; init; } = "report";

    /// <summary>A few sentences below the title; <c>`code`</c> between backticks.</summary>
    public string Lead { get; init; } = "";

    /// <summary>The figures that are read first.</summary>
    public IReadOnlyList<Fact> Facts { get; init; } = [];

    /// <summary>The command that makes the page again; also of figures that name no other.</summary>
    public string? Command { get; init; }

    /// <summary>How an open page follows what it is of; null for one that stays as it is.</summary>
    public LivePage? Live { get; set; }

    public IReadOnlyList<ReportSection> Sections => _sections;

    /// <summary>The figures of all sections.</summary>
    public IEnumerable<Figure> Figures => _sections.SelectMany(section => section.Items).OfType<Figure>();

    /// <summary>Adds a section; an empty one is not written.</summary>
    /// <param name="title">Its heading, also in the list of contents.</param>
    /// <param name="text">What it shows and how it is read; <c>`code`</c> between backticks.</param>
    public ReportSection Section(string title, string text = "")
    {
        var section = new ReportSection(title, text, $"s{_sections.Count + 1}");
        _sections.Add(section);
        return section;
    }

    /// <summary>The page.</summary>
    /// <param name="isWhole">With its styles and scripts; without them it is what an open page takes its news from.</param>
    public string ToHtml(bool isWhole = true)
    {
        var html = new HtmlText();
        ReportSection[] sections = [.. _sections.Where(section => section.Items.Count > 0)];
        html.Raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
            .Raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"NanoFold\">\n")
            // Nothing may be fetched, whatever a script asks for.
            .Raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:").Raw(Live is { IsServed: true } ? "; connect-src 'self'" : "").Raw("\">\n")
            .Raw("<title>").Text(Title).Raw("</title>\n<script>document.documentElement.dataset.theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';</script>\n<style>\n").Raw(isWhole ? Asset("report.css") : "").Raw("</style>\n</head>\n").Raw(Live?.Body ?? "<body>\n");
        WriteHead(html);
        html.Raw("<div class=\"page\">\n");
        WriteContents(html, sections);
        html.Raw("<main>\n");
        foreach (ReportSection section in sections)
        {
            section.Write(html, Command);
        }

        html.Raw("</main>\n</div>\n");
        WriteFoot(html);
        if (!isWhole)
        {
            return html.Raw("</body>\n</html>\n").ToString();
        }

        if (Figures.Any())
        {
            html.Raw("<script>").Raw(PlotlyScript.Text).Raw("</script>\n");
        }

        foreach (string script in (string[])["theme.js", "report.js", "tables.js", .. Live is null ? Array.Empty<string>() : ["live.js"]])
        {
            html.Raw("<script>\n").Raw(Asset(script)).Raw("</script>\n");
        }

        return html.Raw("</body>\n</html>\n").ToString();
    }

    /// <summary>Writes the page to a file, which is complete or as it was.</summary>
    /// <returns>Its size in bytes.</returns>
    /// <exception cref="UserException">It cannot be written.</exception>
    public long Save(string path)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(ToHtml());
        OutputFile.Write(path, stream => stream.Write(bytes));
        return bytes.Length;
    }

    private static string Asset(string name)
    {
        using var reader = new StreamReader(typeof(ReportPage).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    private void WriteHead(HtmlText html)
    {
        html.Raw("<header><div class=\"head\">\n<div class=\"brand\"><span class=\"mark\" aria-hidden=\"true\"></span>NanoFold <span class=\"kind\">").Text(Kind)
            .Raw("</span><button type=\"button\" id=\"theme\" title=\"Light, dark, or as the system\">theme</button>").Raw(Live is null ? "" : "<button type=\"button\" id=\"live\" aria-pressed=\"true\" title=\"Follow the run, or stay as it is\">live</button>").Raw("</div>\n<h1>").Text(Title).Raw("</h1>\n");
        if (Lead.Length > 0)
        {
            html.Raw("<p class=\"lead\">").Inline(Lead).Raw("</p>\n");
        }

        if (Facts.Count > 0)
        {
            html.Raw("<dl class=\"facts\">\n");
            foreach (Fact fact in Facts)
            {
                html.Raw("<div><dt>").Text(fact.Name).Raw("</dt><dd>").Text(fact.Value);
                if (fact.Note.Length > 0)
                {
                    html.Raw("<small>").Text(fact.Note).Raw("</small>");
                }

                html.Raw("</dd></div>\n");
            }

            html.Raw("</dl>\n");
        }

        html.Raw("</div></header>\n");
    }

    private static void WriteContents(HtmlText html, IReadOnlyList<ReportSection> sections)
    {
        html.Raw("<nav aria-label=\"Contents\"><ol>\n");
        foreach (ReportSection section in sections)
        {
            html.Raw("<li><a href=\"#").Text(section.Id).Raw("\">").Text(section.Title).Raw("</a></li>\n");
        }

        html.Raw("</ol></nav>\n");
    }

    private void WriteFoot(HtmlText html)
    {
        html.Raw("<footer><p>Made by NanoFold; charts by plotly.js (MIT). Nothing on this page is fetched from a network.");
        if (Command is { } command)
        {
            html.Raw(" This page again:</p>\n<pre class=\"command\"><code>").Text(command).Raw("</code></pre>");
        }
        else
        {
            html.Raw("</p>");
        }

        html.Raw("</footer>\n");
    }
}

/// <summary>How an open page follows what it is of.</summary>
/// <param name="Seconds">Between two looks.</param>
/// <param name="IsServed">Whether it asks the server that it came from and redraws what has changed; otherwise it reads itself from the disk.</param>
public sealed record LivePage(int Seconds, bool IsServed)
{
    internal string Body => string.Create(CultureInfo.InvariantCulture, $"<body data-live=\"{(IsServed ? "served" : "file")}\" data-seconds=\"{Seconds}\">\n");
}
