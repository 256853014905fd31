using NanoFold.Reports.Items;

namespace NanoFold.Reports;

/// <summary>A part of a page under a heading of its own.</summary>
public sealed class ReportSection
{
    private readonly List<IReportItem> _items = [];

    internal ReportSection(string title, string text, string id) => (Title, Text, Id) = (title, text, id);

    public string Title { get; }

    /// <summary>What it shows and how it is read.</summary>
    public string Text { get; }

    public IReadOnlyList<IReportItem> Items => _items;

    internal string Id { get; }

    /// <summary>Adds what it shows, in this order.</summary>
    public ReportSection Add(params IEnumerable<IReportItem> items)
    {
        _items.AddRange(items);
        return this;
    }

    /// <param name="html">Where it goes.</param>
    /// <param name="command">Makes the figures again that name no other command.</param>
    internal void Write(HtmlText html, string? command)
    {
        html.Raw("<section id=\"").Text(Id).Raw("\">\n<h2>").Text(Title).Raw("</h2>\n");
        if (Text.Length > 0)
        {
            html.Raw("<p>").Inline(Text).Raw("</p>\n");
        }

        bool inPairs = false;
        for (int i = 0; i < _items.Count; i++)
        {
            bool isHalf = _items[i] is Figure { IsHalf: true };
            if (isHalf != inPairs)
            {
                html.Raw(isHalf ? "<div class=\"pairs\">\n" : "</div>\n");
                inPairs = isHalf;
            }

            _items[i].Write(html, $"{Id}-{i + 1}", command);
        }

        html.Raw(inPairs ? "</div>\n</section>\n" : "</section>\n");
    }
}
