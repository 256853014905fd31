using System.Runtime.InteropServices;
using NanoFold.Cli;

namespace NanoFold.Tests.Cli;

/// <summary>What signals do to a verb; KillTests send real ones.</summary>
public class InterruptTests
{
    [TestCase(PosixSignal.SIGHUP, 129, "SIGHUP")]
    [TestCase(PosixSignal.SIGINT, 130, "SIGINT")]
    [TestCase(PosixSignal.SIGQUIT, 131, "SIGQUIT")]
    [TestCase(PosixSignal.SIGTERM, 143, "SIGTERM")]
    public void TheFirstAsksAndTheSecondEndsAtOnce(PosixSignal signal, int code, string name)
    {
        var ended = new List<int>();
        var asked = new List<string>();
        using var interrupt = new Interrupt(ended.Add) { Asked = asked.Add };
        CancellationToken token = interrupt.Token;
        Assert.That((token.IsCancellationRequested, interrupt.ExitCode), Is.EqualTo((false, (int?)null)));

        interrupt.Receive(signal);
        Assert.That((token.IsCancellationRequested, interrupt.ExitCode), Is.EqualTo((true, (int?)code)));
        Assert.That((asked, ended), Is.EqualTo((new[] { name }, Array.Empty<int>())));

        interrupt.Receive(PosixSignal.SIGTERM);
        Assert.That(ended, Is.EqualTo(new[] { 143 }));
        Assert.That((asked.Count, interrupt.ExitCode), Is.EqualTo((1, (int?)code)));
    }

    [Test]
    public void AVerbWithNothingToSaveEndsAtOnce()
    {
        var ended = new List<int>();
        using var interrupt = new Interrupt(ended.Add);

        interrupt.Receive(PosixSignal.SIGHUP);
        Assert.That(ended, Is.EqualTo(new[] { 129 }));
    }
}
