using NanoFold.Engine.Checkpoints;
using NanoFold.Tests;
using NanoFold.Tests.Cli;

namespace NanoFold.Judges;

/// <summary>Models that the library transformers wrote, with what it computes of them.</summary>
internal static class PublishedCases
{
    private const string Folder = "peers/models";

    /// <summary>Their names; one that stands for none where there are none.</summary>
    public static IEnumerable<string> All => SharedData.Find(Folder) is { } folder
        ? Directory.GetDirectories(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)
        : ["none"];

    /// <summary>Writes one in a format; ends the test where that cannot express it, which tests of the format hold against a list.</summary>
    public static void Export(string name, string format, string target)
    {
        CommandLine run = CommandLine.Run("export", "--model", Path.Combine(SharedData.Path(Folder), name), "--format", format, "--out", target);
        if (run.Code != 0)
        {
            Assert.Ignore(run.Error.Trim());
        }
    }

    /// <summary>What is to come out.</summary>
    public static SafeTensorsFile Expected(string name) =>
        SafeTensorsFile.Open(Directory.GetFiles(Path.Combine(SharedData.Path(Folder), name)).Single(path => Path.GetFileName(path).StartsWith("expected", StringComparison.Ordinal)));
}
