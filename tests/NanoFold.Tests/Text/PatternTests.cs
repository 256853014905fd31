using System.Text;
using System.Text.RegularExpressions;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

/// <summary>Patterns find what a backtracking matcher finds, in a time that grows with the text.</summary>
public class PatternTests
{
    private const string Cl100k = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    [TestCase(StageReader.Gpt2)]
    [TestCase(Cl100k)]
    [TestCase(@"a|ab|(?:ab|a)*c")]
    [TestCase(@"a*?b|[^b]{2,3}?|\w+\b")]
    [TestCase(@"(?<=a)b+|(?<!\s)[a-d&&[^b]]|\B ?1")]
    [TestCase(@"(?:a?){3}d|(a|aa)+$|^\d")]
    public void AgreesWithBacktracking(string pattern)
    {
        // .NET writes an intersection as a subtraction.
        var expression = new Regex(pattern.Replace("[a-d&&[^b]]", "[a-d-[b]]", StringComparison.Ordinal), RegexOptions.CultureInvariant | RegexOptions.Multiline);
        Pattern own = Pattern.Of(pattern, PatternDialect.Oniguruma);
        var random = new Random(3);
        for (int i = 0; i < 400; i++)
        {
            // Oniguruma's \w has it, .NET's has not.
            string text = Samples.RandomText(random, random.Next(30)).Replace("²", "", StringComparison.Ordinal);
            string[] expected = [.. expression.Matches(text).Where(match => match.Length > 0).Select(match => match.Value)];
            Assert.That(Found(own, text), Is.EqualTo(expected), text);
        }
    }

    [TestCase(@"\p{N}{1,3}+", true, "1234567", "123|456|7")]
    [TestCase(@"\p{N}{1,3}+", false, "1234567", "1234567")]
    [TestCase(@"\s++$|\s", true, "a  \n", "  \n")]
    [TestCase(@"a$", false, "a\na", "a|a")]
    [TestCase(@"a$", true, "a\na", "a")]
    [TestCase(@"(?i:'s)", false, "'s'S'ſ's", "'s|'S|'ſ|'s")]
    [TestCase(@"[^(\s|[.,])]+", false, "ab,c (d|e)", "ab|c|d|e")]
    [TestCase(@"\p{Han}+|\p{Hiragana}+", false, "漢字かな", "漢字|かな")]
    [TestCase(@"\x41\x{1F600}[\u0042-C]", false, "A😀C", "A😀C")]
    public void FollowsItsDialect(string pattern, bool rust, string text, string expected)
        => Assert.That(string.Join('|', Found(Pattern.Of(pattern, rust ? PatternDialect.Rust : PatternDialect.Oniguruma), text)), Is.EqualTo(expected));

    /// <summary>Each has a place for which a backtracking matcher, or one that begins afresh at each place, takes the square of the length or more.</summary>
    [TestCase(@"\s+$|\S+", " ", "x")]
    [TestCase(@"(a+)+b|c", "a", "c")]
    [TestCase(@"(?:a|a)*?d|c", "a", "c")]
    [TestCase(Cl100k, " ", "x")]
    [TestCase(Cl100k, "'", "x")]
    public void LongRunsAreNoTrouble(string pattern, string unit, string end)
    {
        string text = string.Concat(Enumerable.Repeat(unit, 400_000)) + end;
        Assert.That(Found(Pattern.Of(pattern, PatternDialect.Oniguruma), text)[^1], Does.EndWith(end));
    }

    [Test]
    public void BytesThatAreNoTextAreOneCharacterOfNoClass()
    {
        Pattern pattern = Pattern.Of(@"\p{L}+|[^\s\p{L}]+", PatternDialect.Oniguruma);
        var tail = new PatternTail();
        byte[] text = [(byte)'a', 0xFF, 0xC3, (byte)'b'];
        Assert.That(pattern.Find(text, 0, tail, out _, out int end) && end == 1);
        Assert.That(pattern.Find(text, 1, tail, out _, out end) && end == 3);
    }

    private static List<string> Found(Pattern pattern, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var found = new List<string>();
        var tail = new PatternTail();
        tail.Reset(bytes.Length);
        for (int from = 0; pattern.Find(bytes, from, tail, out int start, out int end);)
        {
            from = end > start ? end : start + 1;
            if (end > start)
            {
                found.Add(Encoding.UTF8.GetString(bytes[start..end]));
            }
        }

        return found;
    }
}
