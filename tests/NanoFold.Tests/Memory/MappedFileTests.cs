using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Memory;

public sealed class MappedFileTests
{
    [Test]
    public void ReadsBytesAndValuesInPlace()
    {
        using var folder = new TempFolder();
        string path = folder.Write("a.bin", [1, 0, 2, 0, 3, 0, 0, 0]);
        using var file = new MappedFile(path);
        Assert.Multiple(() =>
        {
            Assert.That(file.Length, Is.EqualTo(8));
            Assert.That(file.Path, Is.EqualTo(path));
            Assert.That(file.Bytes(2, 3).ToArray(), Is.EqualTo(new byte[] { 2, 0, 3 }));
            Assert.That(file.Read<ushort>(0, 4).ToArray(), Is.EqualTo(new ushort[] { 1, 2, 3, 0 }));
            Assert.That(file.Read<uint>(4, 1)[0], Is.EqualTo(3u));
            Assert.That(file.Bytes(8, 0).IsEmpty, Is.True);
        });
    }

    [TestCase(0L, 9)]
    [TestCase(8L, 1)]
    [TestCase(9L, 0)]
    [TestCase(-1L, 1)]
    [TestCase(0L, -1)]
    [TestCase(long.MaxValue, 1)]
    public void RefusesARangeOutsideTheFile(long offset, int count)
    {
        using var folder = new TempFolder();
        using var file = new MappedFile(folder.Write("a.bin", new byte[8]));
        Assert.That(() => file.Bytes(offset, count).Length, Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => file.Read<long>(offset, Math.Max(count, 2)).Length, Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void AnEmptyFileHasNoBytes()
    {
        using var folder = new TempFolder();
        using var file = new MappedFile(folder.Write("empty.bin", []));
        Assert.That(file.Length, Is.Zero);
        Assert.That(file.Bytes(0, 0).IsEmpty, Is.True);
        Assert.That(() => file.Bytes(0, 1).Length, Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void IsNotReadAfterItIsClosed()
    {
        using var folder = new TempFolder();
        var file = new MappedFile(folder.Write("a.bin", new byte[8]));
        file.Dispose();
        file.Dispose();
        Assert.That(() => file.Bytes(0, 1).Length, Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void AMissingFileIsAnError()
    {
        using var folder = new TempFolder();
        Assert.That(() => new MappedFile(folder.At("none.bin")), Throws.InstanceOf<IOException>());
    }
}
