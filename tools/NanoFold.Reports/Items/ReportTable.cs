using System.Globalization;
using NanoFold.Engine;

namespace NanoFold.Reports.Items;

/// <summary>A table whose rows are sorted by a click on a heading.</summary>
/// <param name="Columns">Their headings.</param>
/// <param name="Rows">A cell for each column.</param>
public sealed record ReportTable(IReadOnlyList<ReportColumn> Columns, IReadOnlyList<IReadOnlyList<Cell>> Rows) : IReportItem
{
    /// <summary>What it shows, above it.</summary>
    public string Title { get; init; } = "";

    /// <summary>How it is read, below it; <c>`code`</c> between backticks.</summary>
    public string Caption { get; init; } = "";

    /// <summary>Whether it is shown only when asked for.</summary>
    public bool IsFolded { get; init; }

    public void Write(HtmlText html, string id, string? command)
    {
        html.Raw(IsFolded ? "<details class=\"folded\"><summary>" : "<figure class=\"table\">");
        if (Title.Length > 0)
        {
            html.Raw(IsFolded ? "" : "<h3>").Text(Title).Raw(IsFolded ? "" : "</h3>");
        }

        html.Raw(IsFolded ? "</summary>" : "").Raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").Text(Title.Length > 0 ? Title : Columns[0].Title).Raw("\"><table id=\"").Text(id).Raw("\">\n");
        if (Title.Length > 0)
        {
            // Seen above it already; read with it.
            html.Raw("<caption>").Text(Title).Raw("</caption>\n");
        }

        html.Raw("<thead><tr>");
        foreach (ReportColumn column in Columns)
        {
            html.Raw(column.IsText ? "<th scope=\"col\" class=\"text\"" : "<th scope=\"col\"").Raw(column.Meaning.Length > 0 ? " title=\"" : "").Text(column.Meaning).Raw(column.Meaning.Length > 0 ? "\"" : "")
                .Raw("><button type=\"button\">").Text(column.Title).Raw("</button></th>");
        }

        html.Raw("</tr></thead>\n<tbody>\n");
        foreach (IReadOnlyList<Cell> row in Rows)
        {
            html.Raw("<tr>");
            for (int i = 0; i < row.Count; i++)
            {
                row[i].Write(html, Columns[i].IsText, isHeading: i == 0);
            }

            html.Raw("</tr>\n");
        }

        html.Raw("</tbody></table></div>");
        if (Caption.Length > 0)
        {
            // A figure alone has a figcaption.
            html.Raw(IsFolded ? "<p class=\"caption\">" : "<figcaption>").Inline(Caption).Raw(IsFolded ? "</p>" : "</figcaption>");
        }

        html.Raw(IsFolded ? "</details>\n" : "</figure>\n");
    }
}

/// <summary>A column of a table.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="IsText">Whether it holds text, which stands on the left; numbers stand on the right.</param>
/// <param name="Meaning">What is said where the heading is pointed at.</param>
public sealed record ReportColumn(string Title, bool IsText = false, string Meaning = "");

/// <summary>A cell.</summary>
/// <param name="Text">As it is shown.</param>
/// <param name="Value">What it is sorted by; null for its text, and for nothing at all where that is a dash.</param>
/// <param name="Tone">How it stands out.</param>
/// <param name="Link">A file beside the page that it leads to.</param>
public sealed record Cell(string Text, double? Value = null, Tone Tone = Tone.Plain, string? Link = null)
{
    private const string None = "–";
    private const int MostOfALine = 28;

    /// <summary>A figure; a dash where there is none.</summary>
    public static Cell Of(double? value, string format) => value is { } given && double.IsFinite(given) ? new(given.ToString(format, CultureInfo.InvariantCulture), given) : new(None);

    /// <summary>A large figure in three digits and a prefix; a dash where there is none.</summary>
    public static Cell Short(double? value) => value is { } given && double.IsFinite(given) ? new(Display.Short(given), given) : new(None);

    /// <summary>A number of bytes; a dash where there is none.</summary>
    public static Cell Bytes(double? value) => value is { } given ? new(Display.Bytes(given), given) : new(None);

    public static implicit operator Cell(string text) => new(text);

    internal void Write(HtmlText html, bool isText, bool isHeading)
    {
        string tag = isHeading ? "th scope=\"row\"" : "td";
        string[] classes = [.. isText || isHeading ? ["text"] : Array.Empty<string>(), .. isText && Text.Length > MostOfALine ? ["long"] : Array.Empty<string>(), .. Tone == Tone.Plain ? Array.Empty<string>() : [Tone.ToString().ToLowerInvariant()]];
        html.Raw($"<{tag}").Raw(classes.Length > 0 ? $" class=\"{string.Join(' ', classes)}\"" : "");
        if (Value is { } value)
        {
            html.Raw(string.Create(CultureInfo.InvariantCulture, $" data-v=\"{value:R}\""));
        }

        html.Raw(">").Raw(Link is null ? "" : "<a href=\"").Text(Link ?? "").Raw(Link is null ? "" : "\">").Text(Text).Raw(Link is null ? "" : "</a>").Raw(isHeading ? "</th>" : "</td>");
    }
}

/// <summary>How a cell stands out.</summary>
public enum Tone
{
    /// <summary>Not at all.</summary>
    Plain,

    /// <summary>What others are compared with, or what matters less.</summary>
    Soft,

    /// <summary>Better than what it is compared with.</summary>
    Good,

    /// <summary>Worse, or failed.</summary>
    Bad,
}
