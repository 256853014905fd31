using NanoFold.Cli.Writing;

namespace NanoFold.Tests.Cli.Chat;

public class WrappedTextTests
{
    [TestCase("one two three", "one two\nthree")]
    [TestCase("one  two   three", "one  two\nthree", Description = "the space in whose place a line begins is left out")]
    [TestCase("  indented text", "  indented\ntext")]
    [TestCase("a\n\n  b\n", "a\n\n  b\n")]
    [TestCase("0123456789abc d", "0123456789\nabc d")]
    [TestCase("see 0123456789abc", "see\n0123456789\nabc")]
    [TestCase("日本語の文章です", "日本語の文\n章です")]
    [TestCase("café cafe\u0301 cafe", "café cafe\u0301\ncafe")]
    [TestCase("end. ", "end.", Description = "nothing comes after the last space")]
    public void LinesEndBetweenWordsHoweverTheTextIsCut(string text, string expected)
    {
        for (int piece = 1; piece <= text.Length; piece++)
        {
            var writer = new StringWriter();
            var wrapped = new WrappedText(writer, 10);
            foreach (char[] chars in text.Chunk(piece))
            {
                wrapped.Write(new string(chars));
            }

            wrapped.End();
            Assert.That(writer.ToString(), Is.EqualTo(expected), $"in pieces of {piece}");
        }
    }

    [Test]
    public void WhereThereIsNoTerminalTextIsAsItIs()
    {
        var writer = new StringWriter();
        var wrapped = new WrappedText(writer, 0);
        wrapped.Write("a long line  ");
        wrapped.End();
        Assert.That(writer.ToString(), Is.EqualTo("a long line  "));
    }
}
