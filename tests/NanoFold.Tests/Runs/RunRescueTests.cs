using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>A run's folder that goes away while it is written: nothing is lost in silence, and the end can be taken up.</summary>
[NonParallelizable]
[Platform(Exclude = "Win")]
public class RunRescueTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void Begin()
    {
        _rig = new TrainRig();
        _rig.Train("straight");
    }

    [TearDown]
    public void End() => _rig.Dispose();

    [Test]
    public void AFolderThatIsDeletedIsSavedBesideIt()
    {
        string rescued = _rig["run-rescued"];
        UserException fault = TrainUntil(7, () => Directory.Delete(_rig["run"], recursive: true));

        Assert.That(fault.ExitCode, Is.EqualTo(1));
        Assert.That(fault.Message, Is.EqualTo(
            $"{_rig["run"]}: was deleted or moved while it was written; the state of step 10 is saved in {rescued}; the checkpoints before it went with the folder; go on with --resume {rescued}"));
        Assert.That(Directory.Exists(_rig["run"]), Is.False, "nothing is made in its place");
        _rig.Resume("run-rescued");
        _rig.AssertSame("run-rescued", "straight", 12);
    }

    [Test]
    [Platform("Linux")]
    public void AFolderThatIsMovedGetsItsCheckpointWhereItIs()
    {
        UserException fault = TrainUntil(7, () => Directory.Move(_rig["run"], _rig["moved"]));

        Assert.That(fault.Message, Is.EqualTo($"{_rig["run"]}: was moved to {_rig["moved"]} while it was written; the checkpoint of step 10 is saved there; go on with --resume {_rig["moved"]}"));
        Assert.That(Directory.Exists(_rig["run"]), Is.False);
        Assert.That(_rig.Checkpoints("moved"), Is.EqualTo(new long[] { 5, 10 }));
        _rig.Resume("moved");
        _rig.AssertSame("moved", "straight", 12);
    }

    [Test]
    public void AnotherRunInItsPlaceIsLeftAlone()
    {
        UserException fault = TrainUntil(7, () =>
        {
            Directory.Delete(_rig["run"], recursive: true);
            _rig.Train("run", "train.stopAfter=1");
        });

        Assert.That(fault.Message, Does.Contain($"the state of step 10 is saved in {_rig["run-rescued"]}; "));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 1 }));
        _rig.Resume("run-rescued");
        _rig.AssertSame("run-rescued", "straight", 12);
    }

    [Test]
    public void ACheckpointThatCannotBeWrittenIsWrittenElsewhere()
    {
        string checkpoints = Path.Combine(_rig["run"], "checkpoints");
        Directory.CreateDirectory(_rig["run-rescued"]);
        UserException fault = TrainUntil(7, () =>
        {
            Directory.Delete(checkpoints, recursive: true);
            File.WriteAllText(checkpoints, "mine");
        });

        Assert.That(fault.Message, Is.EqualTo(
            $"cannot write {checkpoints}: The file '{checkpoints}' already exists; the state of step 10 is saved in {_rig["run-rescued-2"]}; the run's own folder has no checkpoint; go on with --resume {_rig["run-rescued-2"]}"));
        Assert.That(File.ReadAllText(checkpoints), Is.EqualTo("mine"));
        Assert.That(Directory.GetFileSystemEntries(_rig["run-rescued"]), Is.Empty);
        _rig.Resume("run-rescued-2");
        _rig.AssertSame("run-rescued-2", "straight", 12);
    }

    [Test]
    public void WhereTheFolderAboveIsGoneItIsSavedForTheTimeBeing()
    {
        Directory.CreateDirectory(_rig["above"]);
        UserException fault = TrainUntil(7, () => Directory.Delete(_rig["above"], recursive: true), "above/run");
        string rescued = fault.Message[(fault.Message.LastIndexOf(' ') + 1)..];
        try
        {
            Assert.That(rescued, Does.StartWith(Path.Combine(Path.GetTempPath(), "run-rescued")));
            Assert.That(Directory.Exists(_rig["above"]), Is.False);
            Directory.Move(rescued, _rig["back"]);
            _rig.Resume("back");
            _rig.AssertSame("back", "straight", 12);
        }
        finally
        {
            if (Directory.Exists(rescued))
            {
                Directory.Delete(rescued, recursive: true);
            }
        }
    }

    [TestCase(RunLock.FileName)]
    [TestCase(RunConfig.FileName)]
    [TestCase(RunFolder.MetricsFile)]
    [TestCase(RunFolder.GeometryFile)]
    [TestCase("checkpoints")]
    public void APartThatIsDeletedIsPutBack(string name)
    {
        string path = Path.Combine(_rig["run"], name);
        TrainSummary summary = _rig.Train("run", _rig.Config(), observer: new Recorder(step =>
        {
            if (step == 7)
            {
                Directory.Move(path, _rig["away"]);
            }
        }));

        Assert.That((summary.End, Path.Exists(path)), Is.EqualTo((TrainEnd.Finished, true)));
        _rig.AssertSame("run", "straight", 12);
        _rig.Resume("run");
    }

    [Test]
    public void ALogThatCannotBeWrittenDoesNotLoseTheSteps()
    {
        // A sample is the first to open its log.
        string samples = Path.Combine(_rig["run"], RunFolder.SamplesFile);
        UserException fault = TrainUntil(7, () => Directory.CreateDirectory(samples), "run", "train.sampleEvery=8", "generation.maxTokens=1");

        Assert.That(fault.Message, Does.StartWith($"cannot write {samples}: ").And.EndWith($"; the state of step 8 is saved in {_rig["run"]}"));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 5, 8 }));
        Directory.Delete(samples);
        _rig.Resume("run");
        _rig.AssertSame("run", "straight", 12);
    }

    private UserException TrainUntil(long step, Action action, string folder = "run", params string[] settings) => Assert.Throws<UserException>(() =>
        _rig.Train(folder, _rig.Config(settings), observer: new Recorder(taken =>
        {
            if (taken == step)
            {
                action();
            }
        })))!;
}
