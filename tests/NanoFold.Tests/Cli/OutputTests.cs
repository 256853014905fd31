using System.Text.Json.Nodes;
using NanoFold.Cli;
using NanoFold.Engine;

namespace NanoFold.Tests.Cli;

public class OutputTests
{
    [Test]
    public void WithJsonStandardOutputHoldsTheResultOnly()
    {
        (string standard, string error) = Write(json: true);

        Assert.That(standard, Is.EqualTo("{\"text\":\"é <\"}\n"));
        Assert.That(error, Is.EqualTo("nanofold: a note\nsome text\n"));
    }

    [Test]
    public void WithoutJsonItHoldsTheText()
    {
        (string standard, string error) = Write(json: false);

        Assert.That(standard, Is.EqualTo("some text\n"));
        Assert.That(error, Is.EqualTo("nanofold: a note\n"));
    }

    [Test]
    public void TablesAreAligned()
    {
        using var standard = new StringWriter { NewLine = "\n" };
        var output = new Output(standard, TextWriter.Null, json: false);

        output.Table(numbers: true, ["a", "1,000"], ["long", "5"]);
        output.Table(numbers: false, ["a", "x"], ["long", "yy"], ["b"]);
        Assert.That(standard.ToString(), Is.EqualTo("a     1,000\nlong      5\na     x\nlong  yy\nb\n"));
    }

    [Test]
    public void ANarrowTerminalGetsWholeWords()
    {
        using var standard = new StringWriter { NewLine = "\n" };
        var output = new Output(standard, standard, json: false, width: 20);

        output.Line("a line of words that is longer");
        output.Line("  indented lines stay so");
        output.Note("said to the reader");
        output.Table(numbers: false, ["a", "x"], ["b", "words of a last cell"]);
        Assert.That(standard.ToString(), Is.EqualTo(
            "a line of words that\nis longer\n  indented lines\n  stay so\nnanofold: said to\nthe reader\na  x\nb  words of a last\n   cell\n"));
    }

    [Test]
    public void ColumnsThatDoNotFitFollowBelow()
    {
        using var standard = new StringWriter { NewLine = "\n" };
        var output = new Output(standard, standard, json: false, width: 20);

        output.Table(numbers: true, ["name", "one", "two", "three"], ["a long name", "1", "22", "333"]);
        Assert.That(standard.ToString(), Is.EqualTo("name         one\na long name    1\n\nname         two\na long name   22\n\nname         three\na long name    333\n"));
    }

    [TestCase(80, "xterm-256color", null, true)]
    [TestCase(80, null, "", true)]
    [TestCase(0, "xterm-256color", null, false)]
    [TestCase(80, "dumb", null, false)]
    [TestCase(80, "xterm-256color", "1", false)]
    public void ABarMovesWhereItCan(int columns, string? term, string? noColor, bool moves) => Assert.That(Output.CanMove(columns, term, noColor), Is.EqualTo(moves));

    [TestCase(0, "0 B")]
    [TestCase(1023, "1,023 B")]
    [TestCase(1536, "1.50 KiB")]
    [TestCase(25_276_514_304, "23.5 GiB")]
    public void BytesAreForPeople(long bytes, string text) => Assert.That(Display.Bytes(bytes), Is.EqualTo(text));

    [TestCase(999, "0", "999")]
    [TestCase(97383.4, "0", "97,383")]
    [TestCase(1234567.891, "0.00", "1,234,567.89")]
    [TestCase(0.5, "0.000", "0.500")]
    public void ThousandsAreSeparated(double value, string format, string text) => Assert.That(Display.Number(value, format), Is.EqualTo(text));

    [TestCase(12, "12 FLOP")]
    [TestCase(6_709_248, "6.71 MFLOP")]
    [TestCase(123e9, "123 GFLOP")]
    public void QuantitiesAreForPeople(double value, string text) => Assert.That(Display.Short(value, "FLOP"), Is.EqualTo(text));

    private static (string Standard, string Error) Write(bool json)
    {
        using var standard = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var output = new Output(standard, error, json);
        output.Note("a note");
        output.Text.WriteLine("some text");
        output.Result(new JsonObject { ["text"] = "é <" });
        return (standard.ToString(), error.ToString());
    }
}
