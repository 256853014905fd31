namespace NanoFold.Reports.Items;

/// <summary>What a section shows.</summary>
public interface IReportItem
{
    /// <param name="html">Where it goes.</param>
    /// <param name="id">Its own in the page.</param>
    /// <param name="command">Makes the page again.</param>
    void Write(HtmlText html, string id, string? command);
}

/// <summary>A figure that is read first.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Value">With its unit.</param>
/// <param name="Note">What else must be said of it.</param>
public sealed record Fact(string Name, string Value, string Note = "");

/// <summary>A paragraph.</summary>
/// <param name="Content">Plain text; <c>`code`</c> between backticks.</param>
/// <param name="IsWarning">Whether it stands out, as what went wrong.</param>
public sealed record Paragraph(string Content, bool IsWarning = false) : IReportItem
{
    /// <summary>Whether it is what the section comes to.</summary>
    public bool IsMain { get; init; }

    public void Write(HtmlText html, string id, string? command) => html.Raw(IsWarning ? "<p class=\"warning\">" : IsMain ? "<p class=\"main\">" : "<p>").Inline(Content).Raw("</p>\n");
}

/// <summary>Texts as they are, such as what a model wrote: a heading and a text each, the last one open.</summary>
/// <param name="Texts">Heading and text.</param>
public sealed record Samples(IReadOnlyList<(string Title, string Text)> Texts) : IReportItem
{
    public void Write(HtmlText html, string id, string? command)
    {
        for (int i = 0; i < Texts.Count; i++)
        {
            html.Raw(i == Texts.Count - 1 ? "<details class=\"sample\" open><summary>" : "<details class=\"sample\"><summary>").Text(Texts[i].Title)
                .Raw("</summary><pre>").Text(Texts[i].Text).Raw("</pre></details>\n");
        }
    }
}
