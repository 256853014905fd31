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

    [Test]
    public void ProductsAndCopiesCostWhatTheirOpsState()
    {
        string[] stated = ["linear", "matmul", "grouped-linear", "embedding", "add", "broadcast", "attention", "top-k-attention", "linear-cross-entropy"];
        var seen = new HashSet<string>();
        foreach (OpCase opCase in OpCases.All.Where(c => !c.Name.Contains("documents") && !c.Name.Contains("residual")))
        {
            var log = new EventLog(1024);
            using var run = new OpRun(opCase, new ProfiledBackend(Backend(), log), DType.Float32);
            var plan = new Plan(run.Tape);
            using DeviceBuffer arena = Backend().Allocate(plan.ArenaBytes);
            plan.Bind(arena);
            log.IsOn = true;
            plan.Run(log);
            ProfileEvent[] events = log.Events.ToArray();
            for (int i = 0; i < events.Length; i++)
            {
                if (events[i] is { Kind: EventKind.Op, Source: PlanStep { Call.Node: var node } step } && stated.Contains(node.Op.Name) && IsWhole(step))
                {
                    seen.Add(node.Op.Name);
                    double flops = events.Where(e => e.Parent == i).Sum(e => e.Cost.Flops);
                    OpCost cost = node.Op.Cost(node);
                    Assert.That(flops - Accumulated(step), Is.EqualTo(step.IsBackward ? cost.BackwardFlops : cost.ForwardFlops), $"{opCase.Name}: {node} {step.Kind}");
                }
            }
        }

        Assert.That(seen, Is.EquivalentTo(stated));
    }

    // A backward call in which all gradients are wanted that the op has.
    private static bool IsWhole(PlanStep step) => !step.IsBackward
        || Enumerable.Range(0, step.Call!.Node.Inputs.Count).All(i =>
            step.Call.Node.Inputs[i].IsNone || !step.Call.Node.Op.IsDifferentiable(i) || !step.Call.InputGradient(i).IsNone);

    // Copies that add to a gradient have a FLOP that the op does not state, as it depends on the plan.
    private static double Accumulated(PlanStep step) => step is { IsBackward: true, Call.Node.Op: AddOp }
        ? Enumerable.Range(0, 2).Where(i => step.Call.Accumulates(i)).Sum(i => (double)step.Call.InputGradient(i).Count)
        : 0;
}
