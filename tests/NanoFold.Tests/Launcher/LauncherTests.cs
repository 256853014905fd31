using System.Diagnostics;

namespace NanoFold.Tests.Launcher;

/// <summary>./nanofold with a dotnet that only notes what it is asked to do.</summary>
[Platform(Exclude = "Win")]
public class LauncherTests
{
    private static readonly string[] s_firstCalls = ["--version", "nuget", "restore", "build", "RUN"];
    private static readonly string[] s_laterBuildCalls = ["--version", "nuget", "build", "RUN"];
    private static readonly string[] s_noBuildCalls = ["RUN"];

    private FakeMachine _machine = null!;

    [SetUp]
    public void SetUp() => _machine = new FakeMachine();

    [TearDown]
    public void TearDown() => _machine.Dispose();

    [Test]
    public void TheFirstStartBuildsAndTheNextDoesNot()
    {
        (int code, string output, string error) = _machine.Start(arguments: ["train", "--out", "a b"]);
        Assert.That(code, Is.Zero, error);
        Assert.That(output, Is.EqualTo($"in {_machine.Root} with 3 arguments: train --out a b\n"));
        Assert.That(error, Is.EqualTo("building nanofold (once) …\nnanofold: GPU packages: found\n"));
        Assert.That(_machine.Calls(), Is.EqualTo(s_firstCalls));

        (code, _, error) = _machine.Start(arguments: "train");
        Assert.That(code, Is.Zero);
        Assert.That(error, Is.Empty);
        Assert.That(_machine.Calls(), Is.EqualTo(s_noBuildCalls));
    }

    [Test]
    public void ItStartsFromElsewhereThroughLinksAndKeepsTheFolderAndTheExitCode()
    {
        string link = Path.Combine(_machine.Elsewhere, "second link");
        File.CreateSymbolicLink(Path.Combine(_machine.Elsewhere, "first link"), "../a folder/nanofold");
        File.CreateSymbolicLink(link, "first link");
        _machine.Environment["FAKE_EXIT"] = "130";
        (int code, string output, string error) = _machine.Start(link, _machine.Elsewhere, "eval");
        Assert.That(code, Is.EqualTo(130), error);
        Assert.That(output, Is.EqualTo($"in {_machine.Elsewhere} with 1 arguments: eval\n"));
        Assert.That(File.Exists(_machine["artifacts/build.stamp"]), Is.True);
    }

    [Test]
    public void ChangedNewAndDeletedSourcesAreBuilt()
    {
        foreach (Action change in new Action[]
        {
            () => File.AppendAllText(_machine["engine/Engine/Part.cs"], "changed"),
            () => File.WriteAllText(_machine["kernels/Kernels/New.cs"], "new"),
            () => File.Delete(_machine["kernels/Kernels/Kernel.cs"]),
            () => File.AppendAllText(_machine["Directory.Build.props"], "changed"),
            () => File.Delete(_machine["tools/NanoFold.Cli/bin/Release/net10.0/nanofold.dll"]),
        })
        {
            StartOnceAndAge();
            change();
            _machine.Start();
            Assert.That(_machine.Calls(), Is.EqualTo(s_laterBuildCalls));
        }
    }

    [Test]
    public void BuildOutputsAndOtherFilesAreNotSources()
    {
        StartOnceAndAge();
        File.WriteAllText(_machine["tools/NanoFold.Cli/bin/Release/net10.0/other.dll"], "");
        File.WriteAllText(_machine["tools/NanoFold.Cli/obj/Generated.cs"], "");
        Directory.CreateDirectory(_machine["tests"]);
        File.WriteAllText(_machine["tests/Tests.cs"], "");
        File.WriteAllText(_machine["README.md"], "");
        _machine.Start();
        Assert.That(_machine.Calls(), Is.EqualTo(s_noBuildCalls));
    }

    [Test]
    public void AFailedBuildPrintsItsErrorsOnceAndIsTriedAgain()
    {
        _machine.Environment["FAKE_BUILD"] = "A.cs(1,2): error CS1002: ; expected\nA.cs(1,2): error CS1002: ; expected\nBuild FAILED.";
        (int code, string output, string error) = _machine.Start();
        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Is.Empty);
        Assert.That(error, Does.EndWith("found\nA.cs(1,2): error CS1002: ; expected\nnanofold: the build failed\n"));

        _machine.Environment.Remove("FAKE_BUILD");
        _machine.Calls();
        Assert.That(_machine.Start().ExitCode, Is.Zero);
        Assert.That(_machine.Calls(), Is.EqualTo(s_laterBuildCalls));
    }

    [Test]
    public void WithoutDotnetItSaysWhatToInstall()
    {
        using var bare = new FakeMachine("dotnet");
        (int code, _, string error) = bare.Start();
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Is.EqualTo("nanofold: dotnet was not found; install the .NET SDK 10 from https://dotnet.microsoft.com/download\n"));
    }

    [Test]
    public void AnOldDotnetIsNamed()
    {
        _machine.Environment["FAKE_SDK"] = "9.0.301";
        (int code, _, string error) = _machine.Start();
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Is.EqualTo("nanofold: the .NET SDK 10 is needed and 'dotnet --version' says 9.0.301; install the .NET SDK 10 from https://dotnet.microsoft.com/download\n"));
    }

    [TestCase("flock")]
    [TestCase("nothing")]
    public void OfSeveralStartsAtOnceOneBuilds(string without)
    {
        using var machine = new FakeMachine(without);
        machine.Environment["FAKE_SLEEP"] = "0.3";
        Process[] processes = [.. Enumerable.Range(0, 4).Select(_ => machine.Begin())];
        foreach (Process process in processes)
        {
            process.WaitForExit();
            Assert.That(process.ExitCode, Is.Zero);
            process.Dispose();
        }

        string[] calls = machine.Calls();
        Assert.That(calls.Count(call => call == "build"), Is.EqualTo(1));
        Assert.That(calls.Count(call => call == "RUN"), Is.EqualTo(4));
    }

    [Test]
    public void ALockOfADeadProcessIsTakenOver()
    {
        using var machine = new FakeMachine("flock");
        Directory.CreateDirectory(machine["artifacts/build.lock.d"]);
        File.WriteAllText(machine["artifacts/build.lock.d/pid"], "999999999\n");
        Assert.That(machine.Start().ExitCode, Is.Zero);
        Assert.That(Directory.Exists(machine["artifacts/build.lock.d"]), Is.False);
    }

    private void StartOnceAndAge()
    {
        _machine.Start();
        _machine.Calls();
        _machine.Age(TimeSpan.FromMinutes(10));
    }
}
