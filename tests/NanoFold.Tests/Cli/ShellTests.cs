using NanoFold.Cli;

namespace NanoFold.Tests.Cli;

public class ShellTests
{
    [TestCase("runs/nano-seed1", "runs/nano-seed1")]
    [TestCase("-run", "./-run")]
    [TestCase("läufe/1", "läufe/1")]
    public void APlainPathIsShownAsItIs(string path, string shown) => Assert.That(Shell.Argument(path), Is.EqualTo(shown));

    [TestCase("my run", "'my run'")]
    [TestCase("it's; $HOME", @"'it'\''s; $HOME'")]
    [Platform(Exclude = "Win")]
    public void APathThatAShellWouldTakeApartIsQuoted(string path, string shown) => Assert.That(Shell.Argument(path), Is.EqualTo(shown));
}
