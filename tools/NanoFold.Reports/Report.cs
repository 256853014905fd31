using NanoFold.Engine;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Runs;
using NanoFold.Reports.Comparisons;
using NanoFold.Reports.Runs;
using NanoFold.Reports.Scaling;

namespace NanoFold.Reports;

/// <summary>Pages of what lies in folders.</summary>
public static class Report
{
    /// <summary>The name that pages have in the folders that they are of.</summary>
    public const string FileName = "report.html";

    private const string RunsFolder = "runs";

    /// <summary>The page of a run, of several runs side by side, or of a set of them.</summary>
    /// <param name="paths">Run folders, or folders that hold <c>runs/NAME</c>.</param>
    /// <param name="command">Makes the page again; it stands on it.</param>
    /// <param name="file">Where the page is going to be: links are relative to its folder; null for <see cref="DefaultPath"/>.</param>
    /// <exception cref="UserException">A path is none of these, or damaged.</exception>
    public static ReportPage Of(IReadOnlyList<string> paths, string command, string? file = null)
    {
        if (paths is [var comparison] && File.Exists(Path.Combine(comparison, Comparison.FileName)))
        {
            return Of(comparison, ResultCollector.Collect(comparison), command, file);
        }

        if (paths is [var grid] && File.Exists(Path.Combine(grid, ScalingGrid.FileName)))
        {
            return Of(grid, ScalingCollector.Collect(grid), command, file);
        }

        string[] folders = [.. paths.SelectMany(RunsOf).DistinctBy(Path.GetFullPath)];
        string[] names = Names(folders);
        RunRecord[] runs = [.. folders.Select((folder, i) => RunRecord.Read(folder, names[i]))];
        return runs is [var only] ? RunPage.Of(only, command) : RunSetPage.Of(Title(paths), runs, command);
    }

    /// <summary>The page of a comparison.</summary>
    /// <param name="folder">Its folder: the paths of its runs begin there.</param>
    /// <param name="result">What it gave.</param>
    /// <param name="command">Makes the page again; it stands on it.</param>
    /// <param name="file">Where the page is going to be; null for the folder itself.</param>
    public static ReportPage Of(string folder, ComparisonResult result, string command, string? file = null) => ComparisonPage.Of(folder, result, command, PageFolder(folder, file));

    /// <summary>The page of a grid of sizes and tokens.</summary>
    /// <param name="folder">Its folder.</param>
    /// <param name="result">What it gave.</param>
    /// <param name="command">Makes the page again; it stands on it.</param>
    /// <param name="file">Where the page is going to be; null for the folder itself.</param>
    public static ReportPage Of(string folder, ScalingResult result, string command, string? file = null) => ScalingPage.Of(folder, result, command, PageFolder(folder, file));

    /// <summary>Where the page goes if nobody says: into the folder that it is of, or, where it is of several, here.</summary>
    public static string DefaultPath(IReadOnlyList<string> paths) => paths is [var only] ? Path.Combine(only, FileName) : FileName;

    private static string PageFolder(string folder, string? file) => file is null ? folder : Path.GetDirectoryName(Path.GetFullPath(file))!;

    private static string Title(IReadOnlyList<string> paths) => paths is [var only] ? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(only))) : $"{paths.Count} runs";

    private static IEnumerable<string> RunsOf(string path)
    {
        if (File.Exists(Path.Combine(path, RunConfig.FileName)))
        {
            return [path];
        }

        string runs = Path.Combine(path, RunsFolder);
        string[] found = [.. Folders(runs).Concat(Folders(path)).Where(folder => File.Exists(Path.Combine(folder, RunConfig.FileName))).Order(StringComparer.Ordinal)];
        return found.Length > 0
            ? found
            : throw new UserException(Directory.Exists(path) ? $"{path}: holds no run; name a folder that train or compare wrote" : $"{path}: there is no such folder");
    }

    private static string[] Folders(string path) => Directory.Exists(path) ? Directory.GetDirectories(path) : [];

    // As few last parts of the paths as tell them apart.
    private static string[] Names(string[] folders)
    {
        string[][] parts = [.. folders.Select(folder => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)).Split(Path.DirectorySeparatorChar))];
        for (int count = 1; ; count++)
        {
            string[] names = [.. parts.Select(path => string.Join('/', path.TakeLast(count)))];
            if (names.Distinct().Count() == names.Length || count >= parts.Max(path => path.Length))
            {
                return names;
            }
        }
    }
}
