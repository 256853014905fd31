using System.Text;
using System.Text.RegularExpressions;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

public sealed class PreTokenizerTests
{
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    [TestCase("", "")]
    [TestCase("Hello world", "Hello| world")]
    [TestCase("they'll we've I'm he'd it's can't you're", "they|'ll| we|'ve| I|'m| he|'d| it|'s| can|'t| you|'re")]
    [TestCase("'sure 'lo x''s", "'s|ure| '|lo| x|''|s")]
    [TestCase("a  b   c", "a| | b|  | c")]
    [TestCase("a\n\nb \n", "a|\n|\n|b| \n")]
    [TestCase("  ", "  ")]
    [TestCase(" ", " ")]
    [TestCase("x = 10.5;", "x| =| 10|.|5|;")]
    [TestCase("明月3 光,霜", "明月|3| 光|,|霜")]
    [TestCase("a\u3000\u3000b", "a|\u3000|\u3000|b")]
    public void CutsAsGpt2Does(string text, string pieces)
    {
        Assert.That(string.Join('|', Pieces(Encoding.UTF8.GetBytes(text)).Select(Encoding.UTF8.GetString)), Is.EqualTo(pieces));
    }

    [Test]
    public void AgreesWithTheRegularExpression()
    {
        // Only inside the basic plane: there, .NET's expressions over UTF-16 mean what the scanner over bytes means.
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            string text = Samples.RandomText(random, random.Next(40));
            string[] expected = [.. Regex.Matches(text, Gpt2, RegexOptions.CultureInvariant).Select(match => match.Value)];
            string[] actual = [.. Pieces(Encoding.UTF8.GetBytes(text)).Select(Encoding.UTF8.GetString)];
            Assert.That(actual, Is.EqualTo(expected), text);
        }
    }

    [Test]
    public void LettersOutsideTheBasicPlaneAreLetters()
    {
        Assert.That(Pieces(Encoding.UTF8.GetBytes("𠀀𠀁a😀")), Has.Count.EqualTo(2));
    }

    [Test]
    public void AnyBytesAreCutWithoutLoss()
    {
        var random = new Random(2);
        for (int i = 0; i < 500; i++)
        {
            byte[] bytes = new byte[random.Next(60)];
            random.NextBytes(bytes);
            Assert.That(Pieces(bytes).SelectMany(piece => piece), Is.EqualTo(bytes));
        }
    }

    [Test]
    public void CutsThatMayBeMadeChangeNothing()
    {
        var random = new Random(3);
        int cuts = 0;
        for (int i = 0; i < 500; i++)
        {
            byte[] text = Encoding.UTF8.GetBytes(Samples.RandomText(random, 30));
            for (int place = 0; place <= text.Length; place++)
            {
                if (PreTokenizer.MayCutAt(text, place))
                {
                    cuts++;
                    Assert.That(Pieces(text[..place]).Concat(Pieces(text[place..])), Is.EqualTo(Pieces(text)));
                }
            }
        }

        Assert.That(cuts, Is.GreaterThan(1000));
    }

    private static List<byte[]> Pieces(byte[] text)
    {
        var pieces = new List<byte[]>();
        for (int place = 0; place < text.Length;)
        {
            int length = PreTokenizer.Next(text.AsSpan(place));
            Assert.That(length, Is.Positive);
            pieces.Add(text[place..(place + length)]);
            place += length;
        }

        return pieces;
    }
}
