namespace NanoFold.Tests.Launcher;

/// <summary>.ci/run with a dotnet that prints what it is told to.</summary>
[Platform(Exclude = "Win")]
public class CiScriptTests
{
    private const string TwoProjects =
        "Passed!  - Failed:     0, Passed:    12, Skipped:     1, Total:    13, Duration: 1 s - A.dll (net10.0)\\n"
        + "Failed!  - Failed:     2, Passed:     5, Skipped:     3, Total:    10, Duration: 20 ms - B.dll (net10.0)\\n";

    private FakeMachine _machine = null!;

    [SetUp]
    public void SetUp()
    {
        _machine = new FakeMachine();
        File.Copy(RepositoryRoot.File("README.md"), _machine["README.md"]);
    }

    [TearDown]
    public void TearDown() => _machine.Dispose();

    [Test]
    public void ItRunsTheCommandOfTheReadme()
        => Assert.That(Run("").Output, Does.StartWith("$ dotnet test -c Release --filter \"Category!=Long\"\n"));

    [Test]
    public void ItFindsOutWhetherTheGpuPackagesRestore()
        => Assert.That(Run("").Error, Does.Contain("GPU packages: found"));

    [Test]
    public void ItClosesWithTheCountsOverAllProjectsAndFailsWithTheTests()
    {
        (int code, string output, _) = Run(TwoProjects, exitCode: 1);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.EndWith("\n17 passed, 2 failed, 4 skipped\n"));

        (code, output, _) = Run(TwoProjects);
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.EndWith("\n17 passed, 2 failed, 4 skipped\n"));
    }

    [Test]
    public void AProjectThatHadNoTurnAfterAFailureHasItThen()
    {
        Directory.CreateDirectory(_machine["tests/A.Tests"]);
        Directory.CreateDirectory(_machine["tests/B.Tests"]);
        const string OfA = "Test run for /here/A.Tests.dll (.NETCoreApp)\\nFailed!  - Failed:     2, Passed:     5, Skipped:     3, Total:    10, Duration: 20 ms - A.Tests.dll (net10.0)\\n";
        (int code, string output, _) = Run(OfA, exitCode: 1);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.EndWith("\n10 passed, 4 failed, 6 skipped\n"), "B is run by itself, A is not run again");

        (_, output, _) = Run(OfA);
        Assert.That(output, Does.EndWith("\n5 passed, 2 failed, 3 skipped\n"));
    }

    [Test]
    public void NoTestIsAFailure()
    {
        (int code, string output, string error) = Run("nothing\\n");
        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.EndWith("\n0 passed, 0 failed, 0 skipped\n"));
        Assert.That(error, Does.EndWith("no test ran\n"));
    }

    [Test]
    public void AReadmeWithTwoCommandsIsRefused()
    {
        File.AppendAllText(_machine["README.md"], "\ndotnet test\n");
        Assert.That(Run(TwoProjects).ExitCode, Is.EqualTo(1));
    }

    private (int ExitCode, string Output, string Error) Run(string testOutput, int exitCode = 0)
    {
        _machine.Environment["FAKE_TEST"] = testOutput;
        _machine.Environment["FAKE_EXIT"] = $"{exitCode}";
        return _machine.Start(_machine[".ci/run"], _machine.Elsewhere);
    }
}
