using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Tests.Checkpoints;

public class CheckpointFolderTests
{
    private TemporaryFolder _temporary = null!;
    private CheckpointFolder _folder = null!;

    [SetUp]
    public void SetUp()
    {
        _temporary = new TemporaryFolder();
        _folder = new CheckpointFolder(_temporary["checkpoints"]);
    }

    [TearDown]
    public void TearDown() => _temporary.Dispose();

    [TestCase(0, "step-000000")]
    [TestCase(500, "step-000500")]
    [TestCase(12_345_678, "step-12345678")]
    public void NamesAndStepsGoBothWays(long step, string name)
    {
        Assert.That(CheckpointFolder.NameOf(step), Is.EqualTo(name));
        Assert.That(CheckpointFolder.TryParseName(name, out long parsed), Is.True);
        Assert.That(parsed, Is.EqualTo(step));
    }

    [TestCase("step-500")]
    [TestCase("step--00500")]
    [TestCase("step-0000500")]
    [TestCase("step-000500.old")]
    [TestCase(".partial-step-000500")]
    [TestCase("step-99999999999999999999")]
    public void OtherNamesAreNoCheckpoints(string name)
        => Assert.That(CheckpointFolder.TryParseName(name, out _), Is.False);

    [Test]
    public void ACheckpointHoldsWhatItsWritersWrote()
    {
        Checkpoint written = Write(500, "five hundred");
        Assert.That(written, Is.EqualTo(new Checkpoint(500, Path.Combine(_folder.Path, "step-000500"))));
        Assert.That(File.ReadAllText(written.File("model.txt")), Is.EqualTo("five hundred"));
        Assert.That(File.ReadAllText(written.File("state.json")), Is.EqualTo("{\"step\":500}"));
        Assert.That(Entries(), Is.EqualTo(new[] { "step-000500" }));
    }

    [Test]
    public void StepsAreListedInOrderAndStrangersPassedOver()
    {
        Write(2_000_000, "c");
        Write(1000, "b");
        Write(5, "a");
        Directory.CreateDirectory(Path.Combine(_folder.Path, "step-7"));
        File.WriteAllText(Path.Combine(_folder.Path, "step-000008"), "a file");
        Assert.That(_folder.List().Select(checkpoint => checkpoint.Step), Is.EqualTo(new[] { 5L, 1000, 2_000_000 }));
        Assert.That(_folder.Newest()!.Step, Is.EqualTo(2_000_000));
    }

    [Test]
    public void AFolderThatDoesNotExistHasNone()
    {
        Assert.That(_folder.List(), Is.Empty);
        Assert.That(_folder.Newest(), Is.Null);
        Assert.That(_folder.Best(), Is.Null);
        _folder.ClearLeftovers();
        Assert.That(Directory.Exists(_folder.Path), Is.False);
    }

    [Test]
    public void AWriterThatThrowsLeavesNothing()
    {
        Assert.That(() => _folder.Write(500, Content("half", fails: true)), Throws.TypeOf<InvalidDataException>());
        Assert.That(Entries(), Is.Empty);
    }

    [Test]
    public void AWriterThatThrowsLeavesAnOlderCheckpointOfItsStep()
    {
        Write(500, "old");
        Assert.That(() => _folder.Write(500, Content("half", fails: true)), Throws.TypeOf<InvalidDataException>());
        Assert.That(Entries(), Is.EqualTo(new[] { "step-000500" }));
        Assert.That(Model(500), Is.EqualTo("old"));
    }

    [Test]
    public void AFullDiskIsOneLineAndLeavesNothing()
    {
        CheckpointFile[] files = [new("model.txt", _ => throw new IOException("No space left", OperatingSystem.IsWindows() ? unchecked((int)0x80070070) : 28))];
        Assert.That(() => _folder.Write(500, files), Throws.TypeOf<UserException>().With.Message.EqualTo($"cannot write {_folder.Path}: the disk is full"));
        Assert.That(Entries(), Is.Empty);
    }

    [Test]
    public void AnUnwritableFolderIsOneLine()
    {
        File.WriteAllText(_folder.Path, "a file where the folder should be");
        Assert.That(() => Write(500, "x"), Throws.TypeOf<UserException>().With.Message.StartsWith($"cannot write {_folder.Path}: "));
    }

    [Test]
    public void TheSameStepIsReplaced()
    {
        Write(500, "old");
        Write(500, "new");
        Assert.That(Model(500), Is.EqualTo("new"));
        Assert.That(Entries(), Is.EqualTo(new[] { "step-000500" }));
    }

    [Test]
    public void WhatAKilledWriterLeftIsNoCheckpointAndIsClearedUp()
    {
        Write(500, "sound");
        LeaveBehind(".partial-step-001000");
        LeaveBehind(".deleted-step-000400");
        LeaveBehind(".replaced-step-000500");
        Assert.That(_folder.List().Select(checkpoint => checkpoint.Step), Is.EqualTo(new[] { 500L }));

        Write(1000, "next");
        Assert.That(Entries(), Is.EqualTo(new[] { "step-000500", "step-001000" }));
        Assert.That(Model(500), Is.EqualTo("sound"));
    }

    [Test]
    public void ACheckpointThatMadeWayForOneThatNeverArrivedComesBack()
    {
        Write(500, "sound");
        Directory.Move(Path.Combine(_folder.Path, "step-000500"), Path.Combine(_folder.Path, ".replaced-step-000500"));
        LeaveBehind(".partial-step-000500");
        _folder.ClearLeftovers();
        Assert.That(Entries(), Is.EqualTo(new[] { "step-000500" }));
        Assert.That(Model(500), Is.EqualTo("sound"));
    }

    [Test]
    public void FoldersOfOthersAreNeverClearedUp()
    {
        Write(500, "sound");
        LeaveBehind(".git");
        LeaveBehind("notes");
        Write(1000, "next");
        Assert.That(Entries(), Is.EqualTo(new[] { ".git", "notes", "step-000500", "step-001000" }));
    }

    [Test]
    public void PruningKeepsTheNewestAndTheBest()
    {
        for (int step = 100; step <= 600; step += 100)
        {
            Write(step, "x");
        }

        _folder.MarkBest(500, 2.5);
        _folder.MarkBest(200, 1.25);
        _folder.Prune(2);
        Assert.That(Entries(), Is.EqualTo(new[] { "best.json", "step-000200", "step-000500", "step-000600" }));
        Assert.That(_folder.Best()!.Value.Checkpoint.Step, Is.EqualTo(200));
        Assert.That(_folder.Best()!.Value.Loss, Is.EqualTo(1.25));
        _folder.Prune(0);
        Assert.That(Entries(), Is.EqualTo(new[] { "best.json", "step-000200" }));
    }

    [Test]
    public void ABestThatIsGoneOrGarbledIsNotBelieved()
    {
        Write(100, "x");
        _folder.MarkBest(100, 1);
        Directory.Delete(Path.Combine(_folder.Path, "step-000100"), recursive: true);
        Assert.That(_folder.Best(), Is.Null);

        foreach (string garbled in new[] { "", "[]", "{}", "{\"step\":\"a\",\"loss\":1}", "{\"step\":1.5,\"loss\":1}" })
        {
            File.WriteAllText(Path.Combine(_folder.Path, "best.json"), garbled);
            Assert.That(() => _folder.Best(), Throws.TypeOf<UserException>().With.Message.Contains("best.json"), garbled);
        }
    }

    [TestCase("")]
    [TestCase("../model.txt")]
    [TestCase("sub/model.txt")]
    public void FilesHavePlainNames(string name)
        => Assert.That(() => _folder.Write(1, [new CheckpointFile(name, _ => { })]), Throws.ArgumentException);

    private Checkpoint Write(long step, string content) => _folder.Write(step, Content(content, fails: false, step));

    private string Model(long step) => File.ReadAllText(_folder.List().Single(checkpoint => checkpoint.Step == step).File("model.txt"));

    private static CheckpointFile[] Content(string content, bool fails, long step = 0) =>
    [
        new("model.txt", stream => stream.Write(Encoding.UTF8.GetBytes(content))),
        new("state.json", stream =>
        {
            stream.Write(Encoding.UTF8.GetBytes($"{{\"step\":{step}}}"));
            if (fails)
            {
                throw new InvalidDataException("half-way");
            }
        }),
    ];

    private void LeaveBehind(string name)
        => File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.Path, name)).FullName, "model.txt"), "half");

    private string?[] Entries() => [.. Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal)];
}
