using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

public sealed class ByteUnicodeTests
{
    [Test]
    public void IsOneToOne()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];
        string symbols = ByteUnicode.Encode(all);
        Assert.That(symbols.Distinct().Count(), Is.EqualTo(256));
        Assert.That(ByteUnicode.TryDecode(symbols, out byte[]? back), Is.True);
        Assert.That(back, Is.EqualTo(all));
    }

    [TestCase((byte)'A', 'A')]
    [TestCase((byte)' ', 'Ġ')]
    [TestCase((byte)'\n', 'Ċ')]
    [TestCase((byte)0, 'Ā')]
    [TestCase((byte)0xAD, 'Ń')]
    [TestCase((byte)0xFF, 'ÿ')]
    public void WritesBytesAsGpt2Does(byte value, char symbol) => Assert.That(ByteUnicode.CharOf(value), Is.EqualTo(symbol));

    [TestCase("a b")]
    [TestCase("\n")]
    [TestCase("中")]
    [TestCase("\u0144")]
    public void RefusesOtherCharacters(string symbol) => Assert.That(ByteUnicode.TryDecode(symbol, out _), Is.False);
}
