using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Suites;

/// <summary>Every case of every op: against its float64 reference, against finite differences, across paths, threads and fused kernels.</summary>
[Category(Category)]
[Parallelizable]
public class OpSuite : EngineTests
{
    public const string Category = "Ops";

    private static IEnumerable<TestCaseData> Cases => OpCases.All.Select(c => new TestCaseData(c).SetArgDisplayNames(c.Name));

    private static IEnumerable<TestCaseData> Differentiable => OpCases.All.Where(c => c.CheckGradient).Select(c => new TestCaseData(c).SetArgDisplayNames(c.Name));

    [Test]
    public void NamesAreUnique() => Assert.That(OpCases.All.Select(c => c.Name), Is.Unique);

    [TestCaseSource(nameof(Cases))]
    [Category(InstructionSetTests.Category)]
    public void ForwardMatchesTheReference(OpCase opCase)
    {
        double[] expected = opCase.Reference(OpRun.Values(opCase));
        using (var exact = new OpRun(opCase, Backend(), DType.Float64))
        {
            Numbers.AssertClose(exact.Run(), expected, 1e-10, $"{opCase} in float64");
        }

        foreach (Isa isa in Paths)
        {
            using var run = new OpRun(opCase, Backend(isa), DType.Float32);
            Numbers.AssertClose(run.Run(), expected, opCase.Tolerance, $"{opCase} on {isa}");
            run.AssertGapsUntouched();
        }
    }

    [TestCaseSource(nameof(Differentiable))]
    public void GradientsMatchFiniteDifferences(OpCase opCase)
    {
        foreach (bool copied in new[] { false, true })
        {
            using var run = new OpRun(opCase, Backend(), DType.Float64, copied);
            using var check = new GradCheck(run.Store, tape => run.Record(tape));
            foreach (GradientDifference difference in check.Run(elements: 12))
            {
                Assert.That(difference.Relative, Is.LessThan(1e-6), difference.ToString());
            }
        }
    }

    [TestCaseSource(nameof(Differentiable))]
    [Category(InstructionSetTests.Category)]
    public void GradientsInFloat32MatchThoseInFloat64(OpCase opCase)
    {
        double[] expected = Run(opCase, Backend(), DType.Float64).Gradients;
        foreach (Isa isa in Paths)
        {
            double[] added = Run(opCase, Backend(isa), DType.Float32).Gradients;
            Numbers.AssertClose(added, expected, opCase.GradientTolerance, $"{opCase} on {isa}, added");
            double[] written = Run(opCase, Backend(isa), DType.Float32, copied: true).Gradients;
            Numbers.AssertClose(written, expected, opCase.GradientTolerance, $"{opCase} on {isa}, written");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void AnyNumberOfThreadsGivesTheSameBits(OpCase opCase)
    {
        (double[] Output, double[] Gradients) one = Run(opCase, Backend(threads: 1), DType.Float32);
        foreach (int threads in new[] { 2, 3, 7 })
        {
            (double[] Output, double[] Gradients) many = Run(opCase, Backend(threads: threads), DType.Float32);
            Numbers.AssertSameBits(many.Output, one.Output, $"{opCase} on {threads} threads");
            Numbers.AssertSameBits(many.Gradients, one.Gradients, $"gradients of {opCase} on {threads} threads");
        }
    }

    /// <summary>With the calls hidden that have a composed path: an op then records others, or does without the kernel. Of the rest both runs are alike.</summary>
    [TestCaseSource(nameof(Cases))]
    public void TheComposedPathAgreesWithTheFusedKernel(OpCase opCase)
    {
        CpuBackend fused = Backend(), composed = Backend(composedOnly: true);
        using var first = new OpRun(opCase, fused, DType.Float32);
        using var second = new OpRun(opCase, composed, DType.Float32);
        Numbers.AssertClose(second.Run(), first.Run(), 2 * opCase.Tolerance, $"{opCase}, composed");
        Numbers.AssertClose(second.Gradients(), first.Gradients(), 2 * opCase.GradientTolerance, $"gradients of {opCase}, composed");
    }

    [TestCaseSource(nameof(Cases))]
    public void RunsAllocateNothing(OpCase opCase)
    {
        using var run = new OpRun(opCase, Backend(), DType.Float32);
        var plan = new Plan(run.Tape);
        using DeviceBuffer arena = run.Tape.Backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        plan.Run();
        // The runtime itself may allocate once, where it compiles a method again.
        Assert.That(Enumerable.Range(0, 3).Min(_ => Allocated(plan)), Is.Zero);

        static long Allocated(Plan plan)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            plan.Run();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [TestCaseSource(nameof(Differentiable))]
    public void BackwardReadsOnlyWhatItSays(OpCase opCase)
    {
        using var run = new OpRun(opCase, Backend(), DType.Float32, copied: true);
        run.Run();
        double[] expected = run.Gradients();
        run.Tape.Backend.Fill(run.Store.AllGradients, 0);
        using var separate = new SeparateMemory(run.Tape);
        separate.Run();
        Numbers.AssertSameBits(run.Gradients(), expected, opCase.Name);
    }

    [TestCaseSource(nameof(Differentiable))]
    public void AGradientDoesNotNeedTheOthers(OpCase opCase)
    {
        using var all = new OpRun(opCase, Backend(), DType.Float32, copied: true);
        all.Run();
        foreach (int input in all.Parameters)
        {
            using var one = new OpRun(opCase, Backend(), DType.Float32, copied: true, trained: input);
            one.Run();
            Numbers.AssertSameBits(one.Gradient(input), all.Gradient(input), $"{opCase}, input {input} alone");
        }
    }

    [TestCaseSource(nameof(Differentiable))]
    public void AGradientThatIsBegunIsOneAddedToZeros(OpCase opCase)
    {
        using var added = new OpRun(opCase, Backend(), DType.Float32);
        added.Run();
        using var begun = new OpRun(opCase, new CountingBackend(Backend()) { Overwrites = true }, DType.Float32, begins: true);
        begun.Run();
        Numbers.AssertClose(begun.Gradients(), added.Gradients(), 1e-6, $"gradients of {opCase}, begun");
    }

    private static (double[] Output, double[] Gradients) Run(OpCase opCase, CpuBackend backend, DType type, bool copied = false)
    {
        using var run = new OpRun(opCase, backend, type, copied);
        return (run.Run(), run.Gradients());
    }
}
