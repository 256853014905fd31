using NanoFold.Reports;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Tests.Reports;

/// <summary>A page as a reader has it, in a real browser.</summary>
public class ReportBrowserTests
{
    private PageBrowser? _browser;
    private OpenedPage? _desktop;

    // Opening a page takes longer than asking it, so that tests share it.
    private OpenedPage Desktop => _desktop!;

    [OneTimeSetUp]
    public async Task Open()
    {
        _browser = await PageBrowser.Start();
        _desktop = await _browser.Open(MadeUpPages.File, 1400, isDark: false);
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }
    }

    [Test]
    public Task EveryFigureIsDrawnAndNothingIsFetched() => IsWhole(Desktop, isDark: false);

    [Test]
    public async Task APhoneInTheDarkShowsAllOfIt()
    {
        await using OpenedPage page = await _browser!.Open(MadeUpPages.File, 360, isDark: true);
        await IsWhole(page, isDark: true);
    }

    private static async Task IsWhole(OpenedPage page, bool isDark)
    {
        await page.Do("nanofold.drawAll()");
        Assert.Multiple(async () =>
        {
            Assert.That(await page.Get<int>("document.querySelectorAll('.plot .main-svg').length"), Is.GreaterThanOrEqualTo(await page.Get<int>("nanofold.figures.length")));
            Assert.That(await page.Get<int>("nanofold.figures.filter(f => !f.plot.querySelector('.trace')).length"), Is.Zero, "figures without a trace");
            Assert.That(await page.Get<int>("document.documentElement.scrollWidth - innerWidth"), Is.Zero, "columns that stick out");
            Assert.That(await page.Get<string>("getComputedStyle(document.body).backgroundColor"), Is.EqualTo(isDark ? "rgb(14, 17, 23)" : "rgb(247, 248, 250)"));
            Assert.That(page.Said, Is.Empty);
            Assert.That(page.Asked.Skip(1).Where(address => !address.StartsWith("data:", StringComparison.Ordinal)), Is.Empty);
        });
    }

    [Test]
    public async Task ValuesOfAChartAreThoseOfTheRuns()
    {
        OpenedPage page = Desktop;
        const string Figure = "const figure = nanofold.figures.find(f => f.element.querySelector('h3').textContent === 'Validation loss');";
        await page.Do($"(() => {{ {Figure} figure.element.scrollIntoView(); [...figure.element.querySelectorAll('.tabs button')].find(b => b.textContent === 'seconds').click(); }})()");
        Assert.That(await page.Get<double[]>($"(() => {{ {Figure} const t = figure.plot.data.find(t => t.name === 'window'); return [t.x.at(-1), t.y.at(-1)]; }})()"),
            Is.EqualTo(new[] { MadeUpComparison.Steps * 0.04, MadeUpComparison.Loss(1.67, 1, MadeUpComparison.Steps) }).Within(1e-6));
        Assert.That(await page.Get<string>($"(() => {{ {Figure} return figure.plot.querySelector('.xtitle').textContent; }})()"), Is.EqualTo("seconds"));
        string csv = await page.Get<string>($"(() => {{ {Figure} return nanofold.csv(figure); }})()");
        Assert.That(csv, Does.StartWith("series,seconds,loss (nats per token),low,high,label\ngated-delta,2,"));
        // Eight evaluations of fourteen whole runs, two of the one that failed.
        Assert.That(csv.Count(c => c == '\n'), Is.EqualTo(1 + (14 * 8) + 2));
    }

    /// <summary>Names are shown and saved as they are, also those that look like colors or tags; places of an axis are named by its marks.</summary>
    [Test]
    public async Task NamesAreShownAndSavedAsTheyAre()
    {
        using var folder = new TemporaryFolder();
        var made = new ReportPage("names");
        made.Section("one").Add(
            new Figure("lines", new Chart("view", new Axis("x < y") { Marks = [2, 4, 8] }, new Axis("y & z"), new Series("@3", [2, 4, 8], [1, 2, 3]) { Labels = ["@soft", "<b>&lt;</b>", "c"], Kind = SeriesKind.LineAndPoints }, new Series("<i>a</i>", [2, 4], [2, 3]))),
            new Figure("names", new Chart("view", new Axis("x"), new Axis("") { Categories = ["@1", "b > a"], IsReversed = true }, new Series("s", [1, 2, 3], [0, 1, -0.5]) { Kind = SeriesKind.Points })));
        made.Save(folder["page.html"]);
        await using OpenedPage page = await _browser!.Open(folder["page.html"], 1400, isDark: false);
        await page.Do("nanofold.drawAll()");
        Assert.That(await page.Get<string>("nanofold.csv(nanofold.figures[0])"), Is.EqualTo("series,x < y,y & z,low,high,label\n@3,2,1,,,@soft\n@3,4,2,,,<b>&lt;</b>\n@3,8,3,,,c\n<i>a</i>,2,2,,,\n<i>a</i>,4,3,,,\n"));
        Assert.That(await page.Get<string>("nanofold.csv(nanofold.figures[1])"), Is.EqualTo("series,x,,low,high,label\ns,1,@1,,,\ns,2,b > a,,,\ns,3,-0.5,,,\n"));
        Assert.That(await page.Get<string[]>("[...nanofold.figures[0].legend.children].map(button => button.textContent)"), Is.EqualTo(new[] { "@3", "<i>a</i>" }));
        Assert.That(await page.Get<string[]>("[...nanofold.figures[1].plot.querySelectorAll('.ytick text')].map(text => text.textContent)"), Is.EquivalentTo(new[] { "@1", "b > a" }));
        Assert.That(await page.Get<bool>("(() => { const { plot, legend } = nanofold.figures[0]; return plot.querySelector('.modebar-group').getBoundingClientRect().top >= legend.getBoundingClientRect().bottom; })()"), Is.True, "buttons below the legend");
        Assert.That(page.Said, Is.Empty);
    }

    /// <summary>A page of 75 variants and 225 runs has less than 8 MB and draws; the first ten and the base are shown.</summary>
    [Test]
    [Category("Long")]
    public async Task ManyVariantsMakeAPageThatCanBeRead()
    {
        using var folder = new TemporaryFolder();
        (string Name, double Loss, string Mixer)[] variants = [.. Enumerable.Range(0, 75).Select(i => i == 1 ? ("attention", 1.66, "attention") : ($"kind-{i / 3} width={32 << (i % 3)}", 1.6 + (0.01 * i), "gru"))];
        string file = folder["report.html"];
        Report.Of(folder.Path, MadeUpComparison.Write(folder.Path, variants), "report").Save(file);
        Assert.That(new FileInfo(file).Length, Is.LessThan(8 << 20));
        await using OpenedPage page = await _browser!.Open(file, 1400, isDark: false);
        await page.Do("nanofold.drawAll()");
        const string Shown = "new Set(nanofold.figures.find(f => f.element.querySelector('h3').textContent === 'Validation loss').plot.data.filter(t => t.visible !== 'legendonly').map(t => t.legendgroup)).size";
        Assert.That(await page.Get<int>(Shown), Is.EqualTo(10));
        // The base is no part of the grid: it has no width of its own.
        Assert.That(await page.Get<int[]>("(() => { const [lines, map] = nanofold.figures.map(f => f.plot.data).filter((_, i) => i < 2); return [lines.filter(t => t.showlegend !== false).length, map[0].z.length, map[0].z[0].length]; })()"), Is.EqualTo(new[] { 25, 25, 3 }));
        Assert.That(page.Said, Is.Empty);
    }

    /// <summary>A slider goes through the charts of a view with the arrow keys, in the plane and in space; choices of the legend stay.</summary>
    [Test]
    public async Task ASliderIsMovedWithTheKeyboard()
    {
        using var folder = new TemporaryFolder();
        var made = new ReportPage("frames");
        Frames Of(bool isInSpace) => new("view", "step", [.. Enumerable.Range(0, 3).Select(i => ($"{i * 100}", (IChart)new Chart("", new Axis("x"), new Axis("y"),
            new Series("a", [0, 1], [i, 2 * i]) { Z = isInSpace ? [0, i] : null }, new Series("b", [0, 1], [1, 1]) { Z = isInSpace ? [0, 1] : null }) { Z = isInSpace ? new Axis("z") : null }))]) { Start = 2 };
        made.Section("one").Add(new Figure("ways", Of(false), Of(true)) { Measures = ["twonn", "no-measure"] });
        made.Section("two").Add(new Definitions(["twonn"]));
        made.Save(folder["page.html"]);
        await using OpenedPage page = await _browser!.Open(folder["page.html"], 1400, isDark: false);
        await page.Do("(() => { nanofold.drawAll(); nanofold.figures[0].legend.children[1].click(); document.querySelector('.slider input').focus(); })()");
        await page.Press("ArrowLeft");
        Assert.That(await page.Get<string>("(() => { const { plot, slider } = nanofold.figures[0]; return [slider.querySelector('input').getAttribute('aria-valuetext'), plot.data[0].y.join(), plot.data[1].visible].join(' | '); })()"),
            Is.EqualTo("step 100, 2 of 3 | 1,2 | legendonly"));
        Assert.That(await page.Get<string>("nanofold.csv(nanofold.figures[0])"), Does.StartWith("series,x,y,low,high,label\na,0,1,,,\na,1,2,,,\n"));
        await page.Click(".tabs button:nth-child(2)");
        await page.Press("Home");
        Assert.That(await page.Get<string>("nanofold.figures[0].plot.data.map(t => t.type + ' ' + t.z.join()).join('; ') + ' ' + nanofold.figures[0].plot.layout.dragmode"), Is.EqualTo("scatter3d 0,2; scatter3d 0,1 orbit"));
        Assert.That(await page.Get<string>("nanofold.csv(nanofold.figures[0])"), Does.StartWith("series,x,y,z,low,high,label\na,0,2,0,,,\n"));
        Assert.That(await page.Get<string[]>("[...document.querySelectorAll('figcaption a')].map(a => a.textContent + (document.querySelector(a.getAttribute('href')) ? '' : '?'))"), Is.EqualTo(new[] { "twonn" }));
        Assert.That(page.Said.Where(line => !line.Contains("GL Driver", StringComparison.Ordinal) && !line.Contains("Canvas2D", StringComparison.Ordinal)), Is.Empty);
    }

    /// <summary>Of 24 layers and 50 checkpoints, with all that can be measured, the page has less than 10 MB, and opening it draws only what is near the screen.</summary>
    [Test]
    [Category("Long")]
    public async Task ALargeRunMakesAPageThatOpensAtOnce()
    {
        using var folder = new TemporaryFolder();
        MadeUpComparison.WriteRun(folder["run"], MadeUpComparison.Config(), 1.66, seed: 2, steps: 400);
        MadeUpGeometry.Write(folder["run"], layers: 24, checkpoints: 50);
        string file = folder["report.html"];
        Report.Of([folder["run"]], "report", file).Save(file);
        Assert.That(new FileInfo(file).Length, Is.LessThan(10 << 20));
        await using OpenedPage page = await _browser!.Open(file, 1400, isDark: false);
        const string Undrawn = "nanofold.figures.filter(f => !f.plot.querySelector('.main-svg')).length";
        int figures = await page.Get<int>("nanofold.figures.length");
        Assert.That(await page.Get<int>(Undrawn), Is.GreaterThan(figures / 2));
        await page.Do("nanofold.drawAll()");
        Assert.That(await page.Get<int>(Undrawn), Is.Zero);
    }

    [Test]
    public async Task AClickOnAHeadingSortsAndTheThemeCanBeChosen()
    {
        OpenedPage page = Desktop;
        const string Names = "[...document.querySelector('table').tBodies[0].rows].map(row => row.cells[0].textContent).join()";
        Assert.That(await page.Get<string>(Names), Is.EqualTo("gated-delta,attention (base),window,mamba,gru"));
        await page.Click("table thead th:nth-child(4) button");
        Assert.That(await page.Get<string>(Names), Is.EqualTo("gated-delta,window,mamba,gru,attention (base)"), "what has no difference stays last");
        await page.Click("table thead th:nth-child(4) button");
        Assert.That(await page.Get<string>(Names), Is.EqualTo("gru,mamba,window,gated-delta,attention (base)"));
        await page.Click("#theme");
        await page.Click("#theme");
        Assert.That(await page.Get<string>("document.documentElement.dataset.theme + document.getElementById('theme').textContent"), Is.EqualTo("darkdark"));
        await page.Click("#theme");
        Assert.That(await page.Get<string>("document.documentElement.dataset.theme + document.getElementById('theme').textContent"), Is.EqualTo("lightauto"));
    }

    /// <summary>Legends hide and show what they name, with the keyboard as well, in all views of a figure.</summary>
    [Test]
    public async Task LegendsAreReachedWithTheKeyboard()
    {
        const string Figure = "const figure = nanofold.figures.find(f => f.element.querySelector('h3').textContent === 'Cost against context');";
        const string Drawn = $"(() => {{ {Figure} return [...figure.legend.children].map((b, i) => b.textContent + (b.getAttribute('aria-pressed') === String(figure.plot.data.find(t => t.name === b.textContent).visible !== 'legendonly') ? '' : '?') + b.getAttribute('aria-pressed')[0]).join(); }})()";
        await Desktop.Do($"(() => {{ {Figure} figure.element.scrollIntoView(); figure.legend.children[1].focus(); }})()");
        await Desktop.Press("Enter");
        Assert.That(await Desktop.Get<string>(Drawn), Is.EqualTo("gated-deltat,attentionf,windowt,mambat,grut"));
        await Desktop.Do($"(() => {{ {Figure} figure.element.querySelectorAll('.tabs button')[1].click(); }})()");
        Assert.That(await Desktop.Get<string>(Drawn), Is.EqualTo("gated-deltat,attentionf,windowt,mambat,grut"));
        await Desktop.Do($"(() => {{ {Figure} figure.legend.children[2].dispatchEvent(new MouseEvent('click', {{ shiftKey: true }})); }})()");
        Assert.That(await Desktop.Get<string>(Drawn), Is.EqualTo("gated-deltaf,attentionf,windowt,mambaf,gruf"));
    }
}
