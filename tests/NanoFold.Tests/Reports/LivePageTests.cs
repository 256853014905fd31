using System.Net;
using NanoFold.Cli.Commands.Live;
using NanoFold.Engine.Runs;
using NanoFold.Reports;

namespace NanoFold.Tests.Reports;

/// <summary>Pages that follow a run: read from the disk again, or served.</summary>
public class LivePageTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void Make()
    {
        _folder = new TemporaryFolder();
        MadeUpComparison.WriteRun(_folder["run"], MadeUpComparison.Config(), 1.66, seed: 2, steps: 400);
    }

    [TearDown]
    public void Remove() => _folder.Dispose();

    [Test]
    public void ThePageFollowsTrainingAndStaysAtTheEnd()
    {
        var report = new LiveReport(_folder["run"], Assert.Fail, TimeProvider.System);
        report.Tick();
        Assert.That(() => File.Exists(report.File) && File.ReadAllText(report.File).Contains("<body data-live=\"file\" data-seconds=\"10\">", StringComparison.Ordinal), Is.True.After(PageBrowser.PatienceMilliseconds, 50));
        report.Finish();
        string html = File.ReadAllText(report.File);
        Assert.That(html, Does.Contain("<body>").And.Not.Contain("id=\"live\"").And.Not.Contain("location.reload"));
    }

    [Test]
    public void APageThatCannotBeMadeIsSaidOnce()
    {
        List<string> said = [];
        var report = new LiveReport(_folder["nowhere"], said.Add, TimeProvider.System);
        report.Finish();
        report.Finish();
        Assert.That(said, Is.EqualTo(new[] { $"the report is not written: {_folder["nowhere"]}: there is no such folder" }));
    }

    [Test]
    public async Task ItIsServedToThisMachineAlone()
    {
        var page = new WatchedPage([_folder["run"]], "report");
        using var server = new LoopbackServer(0, path => WatchCommand.Answer(page, path));
        using var stop = new CancellationTokenSource();
        Task running = server.Run(stop.Token);
        using var client = new HttpClient { BaseAddress = new Uri(server.Address) };
        string whole = await client.GetStringAsync("/"), news = await client.GetStringAsync("/page?x"), version = await client.GetStringAsync("/version");
        Assert.That(whole, Does.Contain("<body data-live=\"served\" data-seconds=\"2\">").And.Contain("connect-src 'self'").And.Contain("DOMParser"));
        Assert.That(news.Length, Is.LessThan(whole.Length / 20), "without plotly");
        Assert.That(news, Does.Contain("<h3>Loss</h3>"));
        File.AppendAllLines(Path.Combine(_folder["run"], RunFolder.MetricsFile), ["""{"step":450,"tokens":5000,"validationLoss":1.125}"""]);
        Assert.That(await client.GetStringAsync("/version"), Is.Not.EqualTo(version));
        Assert.That(await client.GetStringAsync("/page"), Does.Contain("<dd>1.1250"));

        async Task<HttpStatusCode> Status(HttpMethod method, string path, string? host = null)
        {
            using var request = new HttpRequestMessage(method, path);
            request.Headers.Host = host;
            using HttpResponseMessage response = await client.SendAsync(request);
            return response.StatusCode;
        }

        Assert.That(
            new[] { await Status(HttpMethod.Head, "/"), await Status(HttpMethod.Get, "/config.json"), await Status(HttpMethod.Post, "/"), await Status(HttpMethod.Get, "/", "rebound.example"), await Status(HttpMethod.Get, "/version", "localhost:1") },
            Is.EqualTo(new[] { HttpStatusCode.OK, HttpStatusCode.NotFound, HttpStatusCode.MethodNotAllowed, HttpStatusCode.Forbidden, HttpStatusCode.OK }));
        await stop.CancelAsync();
        await running;
        Assert.That(server.Requests, Is.EqualTo(10));
    }

    [Test]
    public void ATakenPortIsRefusedInALine()
    {
        using var server = new LoopbackServer(0, _ => Reply.Text(""));
        int port = new Uri(server.Address).Port;
        Assert.That(() => new LoopbackServer(port, _ => Reply.Text("")), Throws.TypeOf<Engine.UserException>().With.Message.StartsWith($"port {port} of this machine cannot be listened on: ").And.Message.EndsWith("choose another one with --port"));
    }

    /// <summary>Curves grow in an open page, and what its reader chose stays.</summary>
    [Test]
    public async Task CurvesGrowInAnOpenPage()
    {
        await using PageBrowser browser = await PageBrowser.Start();
        var page = new WatchedPage([_folder["run"]], "report") { EverySeconds = 1 };
        using var server = new LoopbackServer(0, path => WatchCommand.Answer(page, path));
        using var stop = new CancellationTokenSource();
        Task running = server.Run(stop.Token);
        await using (OpenedPage opened = await browser.Open(server.Address, 1400, isDark: false))
        {
            const string Places = "(() => { const f = nanofold.figures[0]; return [f.view, f.plot.data.find(t => t.name === 'validation').x.at(-1)]; })()";
            await opened.Do("(() => { nanofold.drawAll(); window.same = true; document.querySelectorAll('.tabs button')[3].click(); })()");
            Assert.That(await opened.Get<double[]>(Places), Is.EqualTo(new[] { 3.0, 400 }));
            File.AppendAllLines(Path.Combine(_folder["run"], RunFolder.MetricsFile), ["""{"step":460,"tokens":6000,"flops":1e9,"elapsedSeconds":3,"validationLoss":1.125}"""]);
            Assert.That(await opened.Await<double[]>(Places, places => places is [_, 460]), Is.EqualTo(new[] { 3.0, 460 }));
            Assert.That(await opened.Get<bool>("window.same"), Is.True, "it was not read again");
            Assert.That(await opened.Get<string>("document.querySelector('.facts dd').textContent"), Does.StartWith("1.1250"));
            Assert.That(opened.Said, Is.Empty);
        }

        await stop.CancelAsync();
        await running;
    }

    /// <summary>A page from the disk reads itself again while training goes on, with what its reader chose, and stays when the run has ended.</summary>
    [Test]
    public async Task APageFromTheDiskReadsItselfAgain()
    {
        await using PageBrowser browser = await PageBrowser.Start();
        var report = new LiveReport(_folder["run"], Assert.Fail, TimeProvider.System) { EverySeconds = 1 };
        report.Tick();
        Assert.That(() => File.Exists(report.File), Is.True.After(PageBrowser.PatienceMilliseconds, 20));
        await using OpenedPage opened = await browser.Open(report.File, 1400, isDark: false);
        // On a busy machine the page reads itself again at any moment, this one included.
        const string Choose = "(() => { nanofold.drawAll(); window.isOld = true; document.querySelectorAll('.tabs button')[3].click(); return true; })()";
        Assert.That(await opened.Await<bool>(Choose, isDone => isDone), Is.True);
        Assert.That(await Shown("new,3,400,live"), Is.EqualTo("new,3,400,live"));
        File.AppendAllLines(Path.Combine(_folder["run"], RunFolder.MetricsFile), ["""{"step":460,"tokens":6000,"flops":1e9,"elapsedSeconds":3,"validationLoss":1.125}"""]);
        report.Finish();
        Assert.That(await Shown("new,0,6000,still"), Is.EqualTo("new,0,6000,still"));

        Task<string?> Shown(string awaited) => opened.Await<string>(
            """
            (() => {
              const figure = nanofold.figures[0];
              return [window.isOld ? "old" : "new", figure.view, figure.views[figure.view].data.find(t => t.name === "validation").x.at(-1), document.getElementById("live") ? "live" : "still"].join();
            })()
            """,
            shown => shown == awaited);
    }
}
