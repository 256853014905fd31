using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NanoFold.Engine;
using NanoFold.Reports;

namespace NanoFold.Cli.Commands.Live;

/// <summary>The page of what lies in folders, made again where their logs have changed since.</summary>
internal sealed class WatchedPage(IReadOnlyList<string> paths, string command)
{
    private readonly Lock _gate = new();
    private string _version = "";
    private ReportPage? _page;

    /// <summary>Seconds after which an open page asks whether there is something new.</summary>
    public int EverySeconds { get; init; } = 2;

    /// <summary>Another one where a log or a result was written since.</summary>
    public string Version
    {
        get
        {
            var text = new StringBuilder();
            foreach (string path in paths)
            {
                foreach (FileInfo file in Files(new DirectoryInfo(path), depth: 0))
                {
                    text.Append(CultureInfo.InvariantCulture, $"{file.FullName} {file.Length} {file.LastWriteTimeUtc.Ticks}\n");
                }
            }

            return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..16];
        }
    }

    /// <summary>The page.</summary>
    /// <param name="isWhole">With scripts and styles, for a browser that has none yet.</param>
    /// <exception cref="UserException">The folders are gone, or damaged.</exception>
    public string Html(bool isWhole)
    {
        lock (_gate)
        {
            string version = Version;
            if (_page is null || version != _version)
            {
                _page = Report.Of(paths, command);
                _page.Live = new LivePage(EverySeconds, IsServed: true);
                _version = version;
            }

            return _page.ToHtml(isWhole);
        }
    }

    // Logs, settings and results of runs, and of the folder of a set of them; not what checkpoints hold.
    private static IEnumerable<FileInfo> Files(DirectoryInfo folder, int depth)
    {
        const int Deepest = 3;
        if (!folder.Exists)
        {
            return [];
        }

        return folder.EnumerateFiles("*.json*").OrderBy(file => file.Name, StringComparer.Ordinal)
            .Concat(depth == Deepest ? [] : folder.EnumerateDirectories().Where(inner => inner.Name != "checkpoints").OrderBy(inner => inner.Name, StringComparer.Ordinal).SelectMany(inner => Files(inner, depth + 1)));
    }
}
