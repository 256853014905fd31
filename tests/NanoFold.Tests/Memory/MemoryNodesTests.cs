using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Memory;

public unsafe class MemoryNodesTests
{
    [TestCase("0", new[] { 0 })]
    [TestCase("0-1\n", new[] { 0, 1 })]
    [TestCase("0,2-4,7\n", new[] { 0, 2, 3, 4, 7 })]
    [TestCase("", new int[0])]
    [TestCase("no list", new int[0])]
    [TestCase("1-2-3", new int[0])]
    [TestCase("0-5000", new int[0])]
    [TestCase("-1", new int[0])]
    public void ListsOfNodesAreRead(string list, int[] nodes) => Assert.That(MemoryNodes.Parse(list), Is.EqualTo(nodes));

    [Test]
    public void MemoryThatIsSpreadIsZeroedAndWritable([Values] bool isThere)
    {
        const long Bytes = 3 * HugePages.Bytes;
        using var buffer = new NativeBuffer(Bytes, isShared: true);
        // A node that no machine has is refused; so may the first one be, where a container permits no such call.
        bool spread = MemoryNodes.TrySpread(buffer.Pointer, Bytes, [isThere ? 0 : 1023]);
        Assert.That(spread, Is.False.Or.EqualTo(isThere));
        Assert.That(buffer.Span<byte>().ContainsAnyExcept((byte)0), Is.False);
        buffer.Span<byte>().Fill(7);
        Assert.That(buffer.Span<byte>()[^1], Is.EqualTo(7));
    }
}
