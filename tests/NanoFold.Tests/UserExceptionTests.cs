using NanoFold.Engine;

namespace NanoFold.Tests;

public class UserExceptionTests
{
    [Test]
    public void The_message_is_one_line()
        => Assert.That(new UserException("a\r\nb\tc").Message, Is.EqualTo("a  b c"));

    [Test]
    public void Wrong_usage_has_its_own_exit_code()
    {
        Assert.That(new UserException("a").ExitCode, Is.EqualTo(1));
        Assert.That(UserException.Usage("a").ExitCode, Is.EqualTo(2));
    }
}
