namespace NanoFold.Tests.Launcher;

/// <summary>How ./nanofold chooses whether the GPU backend is built.</summary>
[Platform(Exclude = "Win")]
public class GpuProbeTests
{
    private FakeMachine _machine = null!;

    [SetUp]
    public void SetUp() => _machine = new FakeMachine();

    [TearDown]
    public void TearDown() => _machine.Dispose();

    private string Props => _machine["artifacts/gpu.props"];

    [Test]
    public void PackagesThatRestoreAreRemembered()
    {
        Assert.That(Build(), Does.Contain("nanofold: GPU packages: found\n"));
        Assert.That(File.ReadAllText(Props), Does.Contain("<Gpu>true</Gpu>"));
        Assert.That(Build(), Is.EqualTo("building nanofold (once) …\n"));
        Assert.That(_machine.Calls().Count(call => call == "restore"), Is.EqualTo(1));
    }

    [Test]
    public void MissingPackagesAreRememberedUntilTheSdkOrTheSourcesChange()
    {
        _machine.Environment["FAKE_RESTORE"] = "NU1101";
        Assert.That(Build(), Does.Contain("nanofold: GPU packages: left out, for no package source has ILGPU (NU1101)"));
        Assert.That(File.ReadAllText(Props), Does.Contain("<Gpu>false</Gpu>"));
        Assert.That(Build(), Is.EqualTo("building nanofold (once) …\n"));

        _machine.Environment["FAKE_SDK"] = "10.0.200";
        Assert.That(Build(), Does.Contain("left out"));
        _machine.Environment["FAKE_SOURCES"] = "https://packages.example";
        _machine.Environment.Remove("FAKE_RESTORE");
        Assert.That(Build(), Does.Contain("GPU packages: found"));
        Assert.That(File.ReadAllText(Props), Does.Contain("<Gpu>true</Gpu>"));
        Assert.That(_machine.Calls().Count(call => call == "restore"), Is.EqualTo(3));
    }

    [Test]
    public void ANetworkFailureIsNotRememberedAndIsTriedAgainAfterAnHour()
    {
        _machine.Environment["FAKE_RESTORE"] = "NU1301";
        Assert.That(Build(), Does.Contain("nanofold: GPU packages: left out for now, the probe for its packages failed"));
        Assert.That(File.Exists(Props), Is.False);

        _machine.Calls();
        _machine.Start();
        Assert.That(_machine.Calls(), Is.EqualTo(new[] { "RUN" }));

        _machine.Environment.Remove("FAKE_RESTORE");
        _machine.Age(TimeSpan.FromMinutes(61));
        Assert.That(_machine.Start().Error, Does.Contain("GPU packages: found"));
        _machine.Calls();
        _machine.Start();
        Assert.That(_machine.Calls(), Is.EqualTo(new[] { "RUN" }));
    }

    [Test]
    public void TheEnvironmentForcesItWithoutAProbeAndAnotherChoiceBuildsAnew()
    {
        _machine.Environment["NANOFOLD_GPU"] = "true";
        Assert.That(_machine.Start().Error, Is.EqualTo("building nanofold (once) …\nnanofold: GPU packages: true, as NANOFOLD_GPU says\n"));
        Assert.That(_machine.Start().Error, Is.Empty);
        Assert.That(_machine.Calls(), Is.EqualTo(new[] { "--version", "build", "RUN", "RUN" }));
        Assert.That(File.Exists(Props), Is.False);

        _machine.Environment["NANOFOLD_GPU"] = "false";
        Assert.That(_machine.Start().Error, Does.Contain("GPU packages: false"));
        _machine.Environment["NANOFOLD_GPU"] = "yes";
        Assert.That(_machine.Start().Error, Is.EqualTo("nanofold: NANOFOLD_GPU is 'yes'; it must be true or false, or unset\n"));
    }

    // Starts with a changed source and gives what was said.
    private string Build()
    {
        _machine.Age(TimeSpan.FromMinutes(1));
        File.WriteAllText(_machine["engine/Engine/Part.cs"], "changed");
        return _machine.Start().Error;
    }
}
