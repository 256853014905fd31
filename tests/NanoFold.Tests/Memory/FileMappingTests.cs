using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Memory;

/// <summary>Files as memory, in both ways: pages that Linux does not count, and what every system has.</summary>
public unsafe class FileMappingTests
{
    [Test]
    public void WhatIsWrittenIsSeenHereOnly([Values] bool counts)
    {
        using var folder = new TempFolder();
        byte[] content = [.. Enumerable.Range(0, 10_001).Select(i => (byte)(i * 7))];
        string path = folder.Write("weights.bin", content);
        FileMapping mapping = FileMapping.Open(path, counts);
        var bytes = new Span<byte>(mapping.Pointer, checked((int)mapping.Bytes));
        Assert.That(bytes.ToArray(), Is.EqualTo(content));
        bytes[5000] ^= 0xff;
        Assert.That(bytes[5000], Is.EqualTo((byte)(content[5000] ^ 0xff)));
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(content));
        mapping.Release();
    }

    [Test]
    public void AFileStaysMappedUntilItsLastShareIsReleased([Values] bool counts)
    {
        using var folder = new TempFolder();
        FileMapping mapping = FileMapping.Open(folder.Write("weights.bin", new byte[] { 1, 2, 3 }), counts);
        mapping.Share();
        mapping.Release();
        Assert.That(new ReadOnlySpan<byte>(mapping.Pointer, 3).ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
        mapping.Release();
    }

    [Test]
    public void AnEmptyFileAndOneThatIsNotThereAreRefused([Values] bool counts)
    {
        using var folder = new TempFolder();
        string empty = folder.Write("empty.bin", Array.Empty<byte>());
        Assert.That(() => FileMapping.Open(empty, counts), Throws.InstanceOf<IOException>().With.Message.EqualTo($"{empty}: is empty"));
        Assert.That(() => FileMapping.Open(folder.At("none.bin"), counts), Throws.InstanceOf<IOException>().With.Message.Contains("none.bin"));
    }
}
