using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;
using Microsoft.Playwright;

namespace NanoFold.Tests.Reports;

/// <summary>A Chromium without a window, started once; tests that need it skip where there is none.</summary>
internal sealed class PageBrowser : IAsyncDisposable
{
    /// <summary>How long the browser's start, a page, or what a test awaits of it may take: a machine may be busy with other work.</summary>
    public const int PatienceMilliseconds = 3 * 60 * 1000;

    private static readonly string[] s_names = ["chromium", "chromium-browser", "google-chrome", "chrome.exe", "msedge.exe"];

    private readonly IPlaywright _driver;
    private readonly IBrowser _browser;

    private PageBrowser(IPlaywright driver, IBrowser browser) => (_driver, _browser) = (driver, browser);

    /// <summary>Starts it, or skips the running test with a reason.</summary>
    public static async Task<PageBrowser> Start()
    {
        string? program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).SelectMany(folder => s_names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        if (program is null)
        {
            Assert.Ignore("there is no Chromium on this machine");
        }

        // The driver lies where the package was restored to.
        string package = typeof(PageBrowser).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "PlaywrightDriver").Value!;
        Environment.SetEnvironmentVariable("PLAYWRIGHT_DRIVER_SEARCH_PATH", package);
        IPlaywright? driver = null;
        try
        {
            driver = await Playwright.CreateAsync();
            return new PageBrowser(driver, await driver.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = program, Args = ["--no-sandbox"], Timeout = PatienceMilliseconds }));
        }
        catch (Exception e)
        {
            driver?.Dispose();
            if (e is not (PlaywrightException or TimeoutException or Win32Exception))
            {
                throw;
            }

            Assert.Ignore($"{program} cannot be started: {e.Message.Split('\n')[0]}");
            throw;
        }
    }

    /// <summary>Opens a file on a screen of a size, and keeps what goes wrong.</summary>
    /// <param name="file">The page.</param>
    /// <param name="width">Of the screen.</param>
    /// <param name="isDark">Whether the system is.</param>
    public async Task<OpenedPage> Open(string file, int width, bool isDark)
    {
        IBrowserContext context = await _browser.NewContextAsync(new BrowserNewContextOptions
        {
            ViewportSize = new ViewportSize { Width = width, Height = 850 }, HasTouch = width < 600, IsMobile = width < 600, ColorScheme = isDark ? ColorScheme.Dark : ColorScheme.Light,
        });
        context.SetDefaultTimeout(PatienceMilliseconds);
        IPage page = await context.NewPageAsync();
        var opened = new OpenedPage(page);
        await page.GotoAsync(new Uri(file).AbsoluteUri);
        return opened;
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _driver.Dispose();
    }
}

/// <summary>A page in the browser, with what it said on the console and what it asked for.</summary>
internal sealed class OpenedPage : IAsyncDisposable
{
    private readonly IPage _page;

    public OpenedPage(IPage page)
    {
        _page = page;
        page.Console += (_, message) => Add(Said, $"{message.Type}: {message.Text}");
        page.PageError += (_, error) => Add(Said, error);
        page.Request += (_, request) => Add(Asked, request.Url);
    }

    /// <summary>Lines of the console, and faults.</summary>
    public List<string> Said { get; } = [];

    /// <summary>Addresses that were asked for, the page's own first.</summary>
    public List<string> Asked { get; } = [];

    public Task<T> Get<T>(string script) => _page.EvaluateAsync<T>(script);

    /// <summary>What a script gives, as soon as it is what is awaited; else what it gave last. Meanwhile the page may be opened again.</summary>
    public async Task<T?> Await<T>(string script, Func<T, bool> isAwaited)
    {
        var waited = Stopwatch.StartNew();
        T? last = default;
        while (waited.ElapsedMilliseconds < PageBrowser.PatienceMilliseconds)
        {
            try
            {
                last = await Get<T>(script);
                if (isAwaited(last))
                {
                    break;
                }
            }
            catch (PlaywrightException)
            {
                // It is being opened.
            }

            await Task.Delay(50);
        }

        return last;
    }

    public Task Do(string script) => _page.EvaluateAsync(script);

    public Task Click(string selector) => _page.ClickAsync(selector);

    public Task Press(string key) => _page.Keyboard.PressAsync(key);

    public async ValueTask DisposeAsync() => await _page.Context.CloseAsync();

    private static void Add(List<string> lines, string line)
    {
        lock (lines)
        {
            lines.Add(line);
        }
    }
}
