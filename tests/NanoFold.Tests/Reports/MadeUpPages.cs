using NanoFold.Reports;

namespace NanoFold.Tests.Reports;

/// <summary>The page of the made-up comparison, made once for the tests of this folder.</summary>
[SetUpFixture]
public class MadeUpPages
{
    private static TemporaryFolder? s_folder;

    /// <summary>The page of the comparison.</summary>
    internal static ReportPage Comparison { get; private set; } = null!;

    /// <summary>The same as a file.</summary>
    internal static string File => s_folder!["report.html"];

    [OneTimeSetUp]
    public void Make()
    {
        s_folder = new TemporaryFolder();
        Comparison = Report.Of(s_folder.Path, MadeUpComparison.Write(s_folder.Path), "nanofold report comparison");
        Comparison.Save(File);
    }

    [OneTimeTearDown]
    public void Remove() => s_folder?.Dispose();
}
