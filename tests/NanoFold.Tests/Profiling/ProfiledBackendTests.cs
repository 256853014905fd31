using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Profiling;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Profiling;

public class ProfiledBackendTests : EngineTests
{
    [Test]
    public void EveryFusedKernelIsKnown()
    {
        Type[] kernels = [.. typeof(IFusedAttention).Assembly.GetTypes().Where(t => t.IsInterface && t.Namespace == typeof(IFusedAttention).Namespace)];

        Assert.That(kernels, Has.Length.GreaterThan(8));
        foreach (Type kernel in kernels)
        {
            Assert.That(kernel.IsAssignableFrom(typeof(ProfiledKernels)), kernel.Name);
        }
    }

    [Test]
    public void AKernelThatIsMissingStaysMissing()
    {
        var profiled = new ProfiledBackend(Backend(composedOnly: true), new EventLog(1));

        Assert.That(profiled.FindInterface<IFusedAttention>(), Is.Null);
        Assert.That(profiled.FindInterface<INormKernels>(), Is.InstanceOf<ProfiledKernels>());
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
