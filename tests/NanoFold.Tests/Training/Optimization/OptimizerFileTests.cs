using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Training.Optimization;

/// <summary>The moments in a checkpoint: those that are used, and those that older runs wrote besides.</summary>
public class OptimizerFileTests
{
    // Of the rig's model two layers of q, k, v, o [16, 16] and gate, up, down of 24 · 16; the embedding and the head of bytes; five gains, each with room for 64.
    private const int Matrices = 2 * ((4 * 16 * 16) + (3 * 24 * 16)), Others = (2 * 256 * 16) + (5 * 64);

    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = new TrainRig();

    [TearDown]
    public void End() => _rig.Dispose();

    [TestCase("muon", Others)]
    [TestCase("adamw", Matrices + Others)]
    public void OnlyWhatAdamWUpdatesHasSecondMoments(string optimizer, int second)
    {
        _rig.Train("run", $"train.optimizer={optimizer}", "train.stopAfter=5");
        using SafeTensorsFile file = SafeTensorsFile.Open(_rig.Checkpoint("run", 5, OptimizerFile.Name));

        Assert.That(file.Tensors.Select(t => (t.Name, t.Count)), Is.EquivalentTo(new[] { ("first", (long)Matrices + Others), ("second", (long)second) }));
    }

    [Test]
    public void ACheckpointOfTheOlderFormGoesOnToTheSameBits()
    {
        _rig.Train("straight", "train.optimizer=muon");
        _rig.Train("older", "train.optimizer=muon", "train.stopAfter=5");
        string path = _rig.Checkpoint("older", 5, OptimizerFile.Name);
        float[] first = Read(path, "first"), second = Read(path, "second");
        Write(path, ("first", first), ("second", [.. new float[Matrices], .. second]));
        _rig.MakeOlder("older", 5);
        _rig.Resume("older");

        _rig.AssertSame("older", "straight", 12);
    }

    [TestCase(Others - 1)]
    [TestCase(Matrices + Others + 1)]
    public void MomentsOfAnotherModelAreRefused(int length)
    {
        _rig.Train("run", "train.optimizer=muon", "train.stopAfter=5");
        string path = _rig.Checkpoint("run", 5, OptimizerFile.Name);
        Write(path, ("first", Read(path, "first")), ("second", new float[length]));
        _rig.MakeOlder("run", 5);

        Assert.That(() => _rig.Resume("run"), Throws.TypeOf<UserException>().With.Message.Contains($"'second' with {Others} elements is missing"));
    }

    private static float[] Read(string path, string name)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        var values = new float[file.Find(name)!.Count];
        file.Read(name, values.AsSpan());
        return values;
    }

    private static void Write(string path, params (string Name, float[] Values)[] tensors)
    {
        var writer = new SafeTensorsWriter();
        foreach ((string name, float[] values) in tensors)
        {
            writer.Add(name, [values.Length], () => values);
        }

        using FileStream stream = File.Create(path);
        writer.WriteTo(stream);
    }
}
