using NanoFold.Engine;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Training;

public class DiskCheckTests
{
    private const long Checkpoint = 12_500_000;

    [Test]
    public void ARunWhoseCheckpointDoesNotFitIsRefused()
        => Assert.That(() => DiskCheck.Require("runs/a", Checkpoint, kept: 2, free: 12_400_000, note: null), Throws.TypeOf<UserException>()
            .With.Message.EqualTo("runs/a: a checkpoint takes 12.5 MB and the disk has 12.4 MB free; make room or choose another --out"));

    [Test]
    public void ARunThatKeepsMoreThanFitsIsToldSo()
    {
        var notes = new List<string>();
        DiskCheck.Require("runs/a", Checkpoint, kept: 2, free: 40_000_000, notes.Add);
        Assert.That(notes, Is.EqualTo(new[] { "runs/a: the run's checkpoints take up to 50.0 MB and the disk has 40.0 MB free; train.keepCheckpoints=1 takes less" }));
    }

    [Test]
    public void WhereEvenOneKeptIsTooManyRoomIsAskedFor()
    {
        var notes = new List<string>();
        DiskCheck.Require("runs/a", Checkpoint, kept: int.MaxValue, free: 30_000_000, notes.Add);
        Assert.That(notes.Single(), Does.StartWith("runs/a: the run's checkpoints take up to 26843545612.5 MB and").And.EndsWith("has 30.0 MB free; make room"));
    }

    [TestCase(50_000_000L)]
    [TestCase(null)]
    public void EnoughRoomOrUnknownRoomSaysNothing(long? free)
        => Assert.That(() => DiskCheck.Require("runs/a", Checkpoint, kept: 2, free, note: line => Assert.Fail(line)), Throws.Nothing);

    [Test]
    public void FreeBytesAreThoseOfTheDiskThatHoldsTheFolder()
    {
        using var folder = new TemporaryFolder();
        Assert.That(DiskCheck.FreeBytes(folder.Path), Is.GreaterThan(0));
    }
}
