using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NanoFold.Reports;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Tests.Reports;

public partial class ReportPageTests
{
    [Test]
    public void TextIsEscapedAndCodeIsMarked()
    {
        var page = new ReportPage("a < b & \"c\"") { Lead = "the `<key>` and a lone ` mark", Command = "nanofold report 'a b'" };
        page.Section("one").Add(new Paragraph("x\u0001y"), new Samples([("after 5 steps", "</pre><script>alert(1)</script>")]));
        page.Section("empty");
        string html = page.ToHtml();
        Assert.That(html, Does.Contain("<h1>a &lt; b &amp; &quot;c&quot;</h1>").And.Contain("the <code>&lt;key&gt;</code> and a lone ` mark").And.Contain("x␁y"));
        Assert.That(html, Does.Contain("&lt;/pre&gt;&lt;script&gt;alert(1)").And.Contain("nanofold report 'a b'").And.Not.Contain(">empty<"));
        Assert.That(html, Has.Length.LessThan(60_000), "a page without figures has no plotly.js");
    }

    [Test]
    public void AFigureHasItsDataItsCommandAndPlotlyOnce()
    {
        var page = new ReportPage("figures") { Command = "nanofold report runs/a" };
        page.Section("one").Add(
            new Figure("first </script>", new Chart("view", new Axis("x"), new Axis("y") { IsLogarithmic = true }, new Series("</script>", [1, 2.5, null], [0.1 + 0.2, double.NaN, 1e-9]))),
            new Figure("second", new HeatMap("map", new Axis("x"), new Axis("y") { Categories = ["a", "b"] }, [[1, null], [2, 3]], "weight")) { Command = "another" });
        string html = page.ToHtml();
        Assert.That(MarkOfPlotly().Count(html), Is.EqualTo(1));
        Assert.That(html, Has.Length.LessThan(4_000_000));
        Assert.That(html, Does.Contain("<code>nanofold report runs/a</code>").And.Contain("<code>another</code>"));
        JsonArray[] figures = [.. Data().Matches(html).Select(match => JsonNode.Parse(match.Groups[1].Value)!.AsArray())];
        JsonNode trace = figures[0][0]!["data"]![0]!;
        Assert.That(trace["name"]!.GetValue<string>(), Is.EqualTo("&lt;/script&gt;"), "plotly.js reads names as HTML");
        Assert.That(trace["x"]!.ToJsonString(), Is.EqualTo("[1.0,2.5,null]"));
        Assert.That(trace["y"]!.ToJsonString(), Is.EqualTo("[0.3,null,1E-09]"));
        Assert.That(figures[0][0]!["layout"]!["yaxis"]!["type"]!.GetValue<string>(), Is.EqualTo("log"));
        Assert.That(figures[1][0]!["data"]![0]!["z"]!.ToJsonString(), Is.EqualTo("[[1.0,null],[2.0,3.0]]"));
        Assert.That(page.ToHtml(), Is.EqualTo(html), "the same content gives the same bytes");
    }

    [Test]
    public void IntervalsAreBarsOfPointsAndBandsOfLines()
    {
        var points = new Series("p", [1.0], [2.0]) { Kind = SeriesKind.Means, Intervals = [(1.5, 3.0)], Spread = Spread.Y };
        JsonNode bars = JsonNode.Parse(PlotlyChart.ToJson(new Chart("", new Axis("x"), new Axis("y"), points)))!["data"]!;
        Assert.That((bars.AsArray().Count, bars[0]!["error_y"]!["array"]![0]!.GetValue<double>(), bars[0]!["error_y"]!["arrayminus"]![0]!.GetValue<double>()), Is.EqualTo((1, 1.0, 0.5)));
        JsonNode band = JsonNode.Parse(PlotlyChart.ToJson(new Chart("", new Axis("x"), new Axis("y"), points with { Kind = SeriesKind.Line })))!["data"]!;
        Assert.That(band.AsArray().Select(trace => trace!["y"]![0]!.GetValue<double>()), Is.EqualTo(new[] { 3.0, 1.5, 2.0 }));
        Assert.That(band[1]!["fill"]!.GetValue<string>(), Is.EqualTo("tonexty"));
    }

    [Test]
    public void CellsSortByTheirValues()
    {
        var page = new ReportPage("table");
        page.Section("one").Add(new ReportTable([new ReportColumn("name", IsText: true), new ReportColumn("loss", Meaning: "in nats")], [["a", Cell.Of(1.25, "0.0")], ["b", Cell.Of(double.NaN, "0.0")], ["c", new Cell("1.5 k", 1500, Tone.Bad, "runs/c/")]]));
        Assert.That(page.ToHtml(), Does.Contain("<td data-v=\"1.25\">1.3</td>").And.Contain("<td>–</td>").And.Contain("<td class=\"bad\" data-v=\"1500\"><a href=\"runs/c/\">1.5 k</a></td>").And.Contain("title=\"in nats\""));
    }

    [GeneratedRegex(@"/\*\*\s*\* plotly\.js v")]
    private static partial Regex MarkOfPlotly();

    [GeneratedRegex("<script type=\"application/json\">(.*?)</script>")]
    private static partial Regex Data();
}
