namespace NanoFold.Tests.Reports;

/// <summary>A page as a reader has it, in a real browser.</summary>
public class ReportBrowserTests
{
    private PageBrowser? _browser;

    [OneTimeSetUp]
    public async Task Open() => _browser = await PageBrowser.Start();

    [OneTimeTearDown]
    public async Task Close()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }
    }

    [TestCase(1400, false)]
    [TestCase(360, true)]
    public async Task EveryFigureIsDrawnAndNothingIsFetched(int width, bool isDark)
    {
        await using OpenedPage page = await _browser!.Open(MadeUpPages.File, width, isDark);
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
        await using OpenedPage page = await _browser!.Open(MadeUpPages.File, 1400, isDark: false);
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

    [Test]
    public async Task AClickOnAHeadingSortsAndTheThemeCanBeChosen()
    {
        await using OpenedPage page = await _browser!.Open(MadeUpPages.File, 1400, isDark: false);
        const string Names = "[...document.querySelector('table').tBodies[0].rows].map(row => row.cells[0].textContent).join()";
        Assert.That(await page.Get<string>(Names), Is.EqualTo("gated-delta,attention (base),window,mamba,gru"));
        await page.Click("table thead th:nth-child(5) button");
        Assert.That(await page.Get<string>(Names), Is.EqualTo("gated-delta,window,mamba,gru,attention (base)"), "what has no difference stays last");
        await page.Click("table thead th:nth-child(5) button");
        Assert.That(await page.Get<string>(Names), Is.EqualTo("gru,mamba,window,gated-delta,attention (base)"));
        await page.Click("#theme");
        await page.Click("#theme");
        Assert.That(await page.Get<string>("document.documentElement.dataset.theme + document.getElementById('theme').textContent"), Is.EqualTo("darkdark"));
    }
}
