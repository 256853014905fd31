using System.Text;
using NanoFold.Engine.Corpora;

namespace NanoFold.Tests.Data;

/// <summary>Where documents end in a text, and what else is seen on the way.</summary>
public sealed class TextScanTests
{
    [TestCase("one<|e|>two", "one|two")]
    [TestCase("one\n<|e|>\ntwo\n<|e|>\n", "one\n|two\n")]
    [TestCase("<|e|>\r\none\r\n<|e|>\r\n<|e|>\r\ntwo", "one\r\n|two")]
    [TestCase("one <|e|>\ntwo", "one |\ntwo")]
    [TestCase("<|e|>", "")]
    [TestCase("<|e|<|e|>x", "<|e||x")]
    public void ASeparatorCutsAndItsLineGoesWithIt(string text, string documents)
        => Assert.That(string.Join('|', Documents(Encoding.UTF8.GetBytes(text), "<|e|>")), Is.EqualTo(documents));

    /// <summary>At each place around the end of what is read at once.</summary>
    [Test]
    public void BlocksChangeNothing()
    {
        byte[] text = new byte[(1 << 18) + 40];
        for (int at = (1 << 18) - 12; at < (1 << 18) + 20; at++)
        {
            Array.Fill(text, (byte)'a');
            "\n--\né"u8.CopyTo(text.AsSpan(at));
            var scan = new TextScan("--"u8.ToArray(), isText: true);
            scan.Read(new MemoryText("x", text), 0, text.Length);
            Assert.That(scan.Documents, Is.EqualTo(new[] { (0L, at + 1L), (at + 4L, text.Length) }));
            Assert.That(scan.Invalid.Count, Is.Zero);

            Array.Fill(text, (byte)'a');
            "<|endoftext|>"u8.CopyTo(text.AsSpan(at));
            text[at + 15] = 0xE9;
            scan = new TextScan(separator: null, isText: true);
            scan.Read(new MemoryText("x", text), 5, text.Length);
            Assert.That((scan.Mark, scan.Invalid), Is.EqualTo((("<|endoftext|>", 1L), (1L, at + 15L))));
            Assert.That(scan.Documents, Is.EqualTo(new[] { (5L, (long)text.Length) }));
        }
    }

    [Test]
    public void TheMarkThatIsFoundMostOftenIsNamed()
    {
        byte[] text = "<s>a</s><s>b</s><s> <|endoftext|>"u8.ToArray();
        var scan = new TextScan(separator: null, isText: true);
        scan.Read(new MemoryText("x", text), 0, text.Length);
        Assert.That(scan.Mark, Is.EqualTo(("<s>", 3L)));
    }

    private static IEnumerable<string> Documents(byte[] text, string separator)
    {
        var scan = new TextScan(Encoding.UTF8.GetBytes(separator), isText: true);
        scan.Read(new MemoryText("x", text), 0, text.Length);
        return scan.Documents.Select(document => Encoding.UTF8.GetString(text[(int)document.From..(int)document.To]));
    }
}
