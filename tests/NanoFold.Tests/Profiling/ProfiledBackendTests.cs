using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Profiling;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Profiling;

public class ProfiledBackendTests : EngineTests
{
    [Test]
    public void AKernelThatIsMissingStaysMissing()
    {
        var profiled = new ProfiledBackend(Backend(composedOnly: true), new EventLog(1));

        Assert.That(profiled.Find<AttentionCall>(), Is.Null);
        Assert.That(profiled.Find<RmsNormCall>(), Is.InstanceOf<ProfiledKernel<RmsNormCall>>());
    }

    /// <summary>Every op: the same bits, at least a kernel a call, and the FLOPs of its kernels are those it states.</summary>
    [Test]
    public void EveryOpComesToTheSameBitsAndItsKernelsAreNoted([Values] bool composedOnly)
    {
        foreach (OpCase opCase in OpCases.All)
        {
            using var plain = new OpRun(opCase, Backend(composedOnly: composedOnly), DType.Float32);
            double[] expected = plain.Run(), expectedGradients = plain.Gradients();

            var log = new EventLog(256);
            using var run = new OpRun(opCase, new ProfiledBackend(Backend(composedOnly: composedOnly), log), DType.Float32);
            log.IsOn = true;
            Assert.That(run.Run(), Is.EqualTo(expected), opCase.Name);
            log.IsOn = false;
            Assert.That(run.Gradients(), Is.EqualTo(expectedGradients), opCase.Name);
            Assert.That(log.Events.Length, Is.GreaterThan(0), opCase.Name);
            Assert.That(log.Events.ToArray().All(e => e is { Kind: EventKind.Kernel, Cost: { Flops: >= 0, Bytes: > 0 } }), opCase.Name);
        }
    }
}
