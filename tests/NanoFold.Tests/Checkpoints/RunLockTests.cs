using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Tests.Checkpoints;

public class RunLockTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void AFolderIsLockedOnceUntilItIsLetGo()
    {
        string run = _folder["run"];
        using (RunLock.Acquire(run))
        {
            Assert.That(() => RunLock.Acquire(run), Throws.TypeOf<FolderInUseException>()
                .With.Message.EqualTo($"{run} is being written by another nanofold; wait for it to end or choose another folder (--out)"));
            Assert.That(() => RunLock.Acquire(_folder["other"]).Dispose(), Throws.Nothing);
        }

        Assert.That(File.ReadAllText(Path.Combine(run, RunLock.FileName)), Is.EqualTo($"{Environment.ProcessId}\n"));
        Assert.That(() => RunLock.Acquire(run).Dispose(), Throws.Nothing);
    }

    [Test]
    public void WhatADeadProcessLeftDoesNotLock()
    {
        File.WriteAllText(_folder[RunLock.FileName], "123456789012345\n");
        using (RunLock.Acquire(_folder.Path))
        {
        }

        Assert.That(File.ReadAllText(_folder[RunLock.FileName]), Is.EqualTo($"{Environment.ProcessId}\n"));
    }

    [Test]
    public void AFolderThatCannotBeMadeIsNamed()
    {
        File.WriteAllText(_folder["file"], "");
        string run = Path.Combine(_folder["file"], "run");
        Assert.That(() => RunLock.Acquire(run), Throws.TypeOf<UserException>().With.Message.StartsWith($"cannot lock {run}: "));
    }
}
