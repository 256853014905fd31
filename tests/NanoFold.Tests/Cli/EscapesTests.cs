using NanoFold.Cli.Options;
using NanoFold.Engine;

namespace NanoFold.Tests.Cli;

public class EscapesTests
{
    [TestCase(@"", "")]
    [TestCase(@"no escape é 😀", "no escape é 😀")]
    [TestCase(@"\n\t\r\0\e\\\""\'", "\n\t\r\0\e\\\"'")]
    [TestCase(@"a\\nb", @"a\nb")]
    [TestCase(@"\x41\xc3\xa9\xF0\x9F\x98\x80", "Aé😀")]
    [TestCase(@"\u00e9\u4eceé\ud83d\ude00!", "é从é😀!")]
    public void TheyAreUnderstood(string text, string meant) => Assert.That(Escapes.Decode(text, "--stop"), Is.EqualTo(meant));

    [TestCase(@"a\", @"--stop: '\' is no escape; known with -e: \n ")]
    [TestCase(@"\q", @"--stop: '\q' is no escape")]
    [TestCase(@"\x4", @"--stop: '\x' is no escape")]
    [TestCase(@"\xg0", @"--stop: '\x' is no escape")]
    [TestCase(@"\u12", @"--stop: '\u' is no escape")]
    [TestCase(@"\ud83d", @"--stop: '\ud83d' is half of a character")]
    [TestCase(@"\ude00\ud83d", @"--stop: '\ude00' is half of a character")]
    [TestCase(@"\xff", @"--stop: the bytes of '\xff' are not UTF-8 text")]
    public void WhatIsNoneIsWrongUsage(string text, string problem)
        => Assert.That(() => Escapes.Decode(text, "--stop"), Throws.TypeOf<UserException>().With.Message.StartsWith(problem).And.Property(nameof(UserException.ExitCode)).EqualTo(2));
}
