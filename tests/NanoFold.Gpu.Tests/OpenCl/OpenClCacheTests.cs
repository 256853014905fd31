using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.OpenCl;
using NanoFold.Kernels.Gpu.Pointwise;
using NanoFold.Tests;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>What is kept of kernels from one process to the next.</summary>
public sealed class OpenClCacheTests
{
    [Test]
    public void ASourceIsWrittenOnceForADevice()
    {
        using var folder = new TemporaryFolder();
        int written = 0;
        foreach (string device in (string[])["a", "a", "b"])
        {
            string source = new OpenClCache(device, folder.Path).Get(typeof(CopyWork<F32, F32>), () => $"kernel {++written}");
            Assert.That(source, Does.StartWith($"kernel {written}\n"));
        }

        Assert.That(written, Is.EqualTo(2));
        new OpenClCache("a", folder.Path).Get(typeof(CopyWork<F32, BF16>), () => $"kernel {++written}");
        Assert.That(written, Is.EqualTo(3));
    }

    [Test]
    public void ADamagedFileIsWrittenAgain()
    {
        using var folder = new TemporaryFolder();
        var cache = new OpenClCache("a", folder.Path);
        cache.Get(typeof(CopyWork<F32, F32>), () => "kernel");
        string file = Directory.GetFiles(folder.Path).Single();
        File.WriteAllText(file, File.ReadAllText(file)[..20]);
        Assert.That(cache.Get(typeof(CopyWork<F32, F32>), () => "again"), Does.StartWith("again"));
    }

    [Test]
    public void AFolderThatCannotBeWrittenCostsTimeOnly()
    {
        using var folder = new TemporaryFolder();
        string file = Path.Combine(folder.Path, "file");
        File.WriteAllText(file, "");
        Assert.That(new OpenClCache("a", Path.Combine(file, "below")).Get(typeof(CopyWork<F32, F32>), () => "kernel"), Does.StartWith("kernel"));
    }
}
