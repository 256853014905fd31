using NanoFold.Engine;

namespace NanoFold.Tests;

public class UserExceptionTests
{
    [Test]
    public void TheMessageIsOneLine()
        => Assert.That(new UserException("a\r\nb\tc").Message, Is.EqualTo("a  b c"));

    [Test]
    public void WrongUsageHasItsOwnExitCode()
    {
        Assert.That(new UserException("a").ExitCode, Is.EqualTo(1));
        Assert.That(UserException.Usage("a").ExitCode, Is.EqualTo(2));
    }
}
