using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Memory;

public class FileSystemSyncTests
{
    [Test]
    public void A_folder_is_flushed()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "x");
        Assert.That(() => FileSystemSync.FlushFolder(folder.Path), Throws.Nothing);
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void A_folder_that_is_not_there_is_named()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => FileSystemSync.FlushFolder(folder["none"]), Throws.TypeOf<IOException>().With.Message.Contains(folder["none"]));
    }
}
