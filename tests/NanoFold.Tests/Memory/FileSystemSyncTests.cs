using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Memory;

public class FileSystemSyncTests
{
    [Test]
    public void AFolderIsFlushed()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "x");
        Assert.That(() => FileSystemSync.FlushFolder(folder.Path), Throws.Nothing);
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void AFolderThatIsNotThereIsNamed()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => FileSystemSync.FlushFolder(folder["none"]), Throws.TypeOf<IOException>().With.Message.Contains(folder["none"]));
    }
}
