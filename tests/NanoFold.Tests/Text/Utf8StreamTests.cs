using System.Text;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

public sealed class Utf8StreamTests
{
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(5)]
    public void PiecesOfAnySizeGiveTheTextInWholeCharacters(int size)
    {
        string text = Samples.Chinese + Samples.Mixed;
        var stream = new Utf8Stream();
        var got = new StringBuilder();
        foreach (byte[] piece in Encoding.UTF8.GetBytes(text).Chunk(size))
        {
            string part = stream.Write(piece);
            Assert.That(part, Does.Not.Contain('\uFFFD'));
            Assert.That(part.Length == 0 || !char.IsHighSurrogate(part[^1]), Is.True, "a character was cut");
            got.Append(part);
        }

        Assert.That(stream.Flush(), Is.Empty);
        Assert.That(got.ToString(), Is.EqualTo(text));
    }

    [Test]
    public void ACharacterComesWithItsLastByte()
    {
        var stream = new Utf8Stream();
        byte[] moon = Encoding.UTF8.GetBytes("月");
        Assert.That(stream.Write(moon.AsSpan(0, 1)), Is.Empty);
        Assert.That(stream.Write(moon.AsSpan(1, 1)), Is.Empty);
        Assert.That(stream.Write(moon.AsSpan(2, 1)), Is.EqualTo("月"));
    }

    [Test]
    public void AnIncompleteCharacterAtTheEndIsReplaced()
    {
        var stream = new Utf8Stream();
        Assert.That(stream.Write([(byte)'a', 0xE6, 0x9C]), Is.EqualTo("a"));
        Assert.That(stream.Flush(), Is.EqualTo("\uFFFD"));
        Assert.That(stream.Write("b"u8), Is.EqualTo("b"), "the stream can be used afresh");
    }

    [Test]
    public void InvalidBytesAreReplacedAsTheWholeWouldBe()
    {
        var random = new Random(7);
        for (int i = 0; i < 300; i++)
        {
            byte[] bytes = new byte[random.Next(30)];
            random.NextBytes(bytes);
            var stream = new Utf8Stream();
            string got = string.Concat(bytes.Select(value => stream.Write([value]))) + stream.Flush();
            Assert.That(got, Is.EqualTo(Encoding.UTF8.GetString(bytes)));
        }
    }
}
