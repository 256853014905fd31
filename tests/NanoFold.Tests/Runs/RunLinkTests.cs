using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>Symbolic links inside of a run's folder are never written through.</summary>
[Platform(Exclude = "Win")]
public class RunLinkTests
{
    private const string Mine = "something else\n";

    private TrainRig _rig = null!;

    [SetUp]
    public void Begin()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.stopAfter=5");
        _rig.Write("mine", Mine);
        Directory.CreateDirectory(_rig["folder"]);
        _rig.Write("folder/mine", Mine);
    }

    [TearDown]
    public void End() => _rig.Dispose();

    [TestCase("metrics.jsonl", "mine")]
    [TestCase("geometry.jsonl", "mine")]
    [TestCase("run.lock", "mine")]
    [TestCase("checkpoints", "folder")]
    [TestCase("metrics.jsonl", "nothing")]
    public void ALinkInThePlaceOfWhatIsWrittenIsRefused(string name, string target)
    {
        string path = Path.Combine(_rig["run"], name);
        Directory.Move(path, _rig["away"]);
        File.CreateSymbolicLink(path, _rig[target]);

        Assert.That(() => _rig.Resume("run"), Throws.TypeOf<UserException>().With.Message.StartsWith($"{path}: is a symbolic link to {_rig[target]}; "));
        AssertUntouched();
        Assert.That(File.Exists(_rig["nothing"]), Is.False);
    }

    [Test]
    public void LinksWithNamesOfWhatIsWrittenBesideAreReplaced()
    {
        string checkpoints = Path.Combine(_rig["run"], "checkpoints");
        foreach (string name in new[] { "config.json.new", "metrics.jsonl.new", "geometry.jsonl.new", "checkpoints/best.json.new", "checkpoints/.partial-step-000012" })
        {
            File.CreateSymbolicLink(Path.Combine(_rig["run"], name), _rig["mine"]);
        }

        foreach (string name in new[] { ".partial-step-000010", ".deleted-step-000005", ".replaced-step-000005" })
        {
            Directory.CreateSymbolicLink(Path.Combine(checkpoints, name), _rig["folder"]);
        }

        _rig.Resume("run");
        AssertUntouched();
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 10, 12 }));
        Assert.That(Directory.GetFileSystemEntries(checkpoints, ".*"), Is.Empty);
    }

    [Test]
    public void ACheckpointThatIsALinkIsReadAndPrunedAsALink()
    {
        Directory.Move(_rig.Checkpoint("run", 5), _rig["folder/five"]);
        Directory.CreateSymbolicLink(_rig.Checkpoint("run", 5), _rig["folder/five"]);
        _rig.Resume("run");

        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 10, 12 }));
        Assert.That(Directory.GetFiles(_rig["folder/five"]), Has.Length.EqualTo(5));
        AssertUntouched();
    }

    [Test]
    public void LeftoversAreSweptWhenTheRunGoesOn()
    {
        foreach (string name in new[] { "config.json.new", "metrics.jsonl.new", "geometry.jsonl.new", "checkpoints/best.json.new", "checkpoints/.partial-step-000010" })
        {
            File.WriteAllText(Path.Combine(_rig["run"], name), "half");
        }

        _rig.Resume("run");
        Assert.That(
            Directory.GetFileSystemEntries(_rig["run"]).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { RunConfig.FileName, RunFolder.MetricsFile, RunFolder.GeometryFile, RunResult.FileName, RunLock.FileName, "checkpoints" }));
        Assert.That(Directory.GetFileSystemEntries(Path.Combine(_rig["run"], "checkpoints")), Has.Length.EqualTo(3));
    }

    private void AssertUntouched()
    {
        Assert.That(File.ReadAllText(_rig["mine"]), Is.EqualTo(Mine));
        Assert.That(File.ReadAllText(_rig["folder/mine"]), Is.EqualTo(Mine));
    }
}
