using System.Reflection;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Memory;
using NanoFold.Kernels.Null;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Tests.Suites;

/// <summary>What holds for every call of a fused kernel, those to come included.</summary>
public class KernelCallTests : EngineTests
{
    // What no case of an op calls: the optimizer's passes, what a step counts, a yardstick, and decoding.
    private static readonly string[] s_beyondOps = ["adamw", "adamw-together", "add-squares", "cache-append", "cached-attention", "cached-block-mean", "decide", "expert-bias", "expert-tally", "memory-read", "muon-apply", "muon-momentum", "normalize-frobenius"];

    // What only GPUs have kernels for: their suite of ops compares it with the composed path.
    private static readonly string[] s_ofGpus = ["gated-gradient", "gated-linear", "rotary-attention-backward", "rotary-linear"];

    [Test]
    public void NamesAreUnique() => Assert.That(KernelCalls.All.Select(KernelCalls.Name), Is.Unique);

    /// <summary>The suite of ops compares the two paths of each case that has two; here that each call comes up there.</summary>
    [Test]
    public void EveryCallWithAComposedPathIsComparedWithIt()
    {
        string[] withComposedPath = [.. KernelCalls.All.Where(KernelCalls.HasComposedPath).Select(KernelCalls.Name).Except(s_ofGpus)];
        HashSet<string> fused = Called(composedOnly: false), composed = Called(composedOnly: true);

        Assert.That(withComposedPath, Is.Not.Empty);
        Assert.That(withComposedPath.Where(name => !fused.Contains(name)), Is.Empty, "calls that no case of an op makes");
        Assert.That(withComposedPath.Where(composed.Contains), Is.Empty, "calls made though they are hidden");
    }

    [Test]
    public void EveryCallIsMadeByAnOpOrNamedHere()
        => Assert.That(KernelCalls.All.Select(KernelCalls.Name).Except(Called(composedOnly: false)), Is.EquivalentTo(s_beyondOps.Concat(s_ofGpus)));

    /// <summary>Each kernel is given each of its operands outside of its buffer, and says which one it is before anything is done.</summary>
    [Test]
    public void EveryKernelAsksThatEveryOperandIsInItsBuffer()
    {
        using var backend = new CpuBackend(1);
        var broken = new HashSet<string>();
        BreakingKernel.AddAll(backend, broken);
        foreach (OpCase opCase in OpCases.All)
        {
            using var run = new OpRun(opCase, backend, DType.Float32);
            run.Run();
        }

        using StepState state = backend.NewState();
        using var memory = new NativeBuffer(64);
        var x = new View(memory, 0, Layout.Of(4), DType.Float32);
        backend.Run(new AddSquaresCall(state, x));
        backend.Run(new AdamWCall(state, x, x, x, x, 0.9, 0.9, 1, 0));
        backend.Run(new MuonMomentumCall(state, x, x, x, 0.9));
        backend.Run(new NormalizeFrobeniusCall(state, x, x));
        backend.Run(new MuonApplyCall(state, StepSlot.LearningRate, x, x, 0, 1));
        var counts = new View(memory, 0, Layout.Of(5), DType.Int32);
        backend.Run(new ExpertTallyCall(counts, counts, counts));
        backend.Run(new ExpertBiasCall(state, counts, x, 1));
        backend.Run(new MemoryReadCall(x, x.With(Layout.Of(1))));
        Assert.That(KernelCalls.All.Select(KernelCalls.Name).Except(broken), Is.EquivalentTo(s_ofGpus.Concat(["adamw-together", "decide", "cache-append", "cached-attention", "cached-block-mean"])), "calls without operands, what is tested with its caches, and what only GPUs have");
    }

    private HashSet<string> Called(bool composedOnly)
    {
        var log = new EventLog(1024);
        var backend = new ProfiledBackend(new NullBackend(Backend(composedOnly: composedOnly)), log);
        var names = new HashSet<string>();
        foreach (OpCase opCase in OpCases.All)
        {
            using var run = new OpRun(opCase, backend, DType.Float32);
            log.Clear();
            log.IsOn = true;
            run.Run();
            log.IsOn = false;
            names.UnionWith(log.Events.ToArray().Select(noted => noted.Source).OfType<string>());
        }

        return names;
    }
}
