using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Suites;

/// <summary>Every case of every op on a GPU: against its float64 reference, its gradients against the CPU's in float64, twice to the same bits.</summary>
public class GpuOpSuite : GpuTests
{
    // Elements of an input that the simulator has time for whenever tests run, and at all.
    private const long MostQuick = 1_000, MostSimulated = 40_000;

    private static IEnumerable<TestCaseData> Cases => OpCases.All
        .Where(c => !IsSimulated || Elements(c) <= MostSimulated)
        .Select(c => IsSimulated && Elements(c) > MostQuick ? Case(c).SetCategory("Long") : Case(c));

    private static IEnumerable<TestCaseData> Differentiable => OpCases.All
        .Where(c => c.CheckGradient && (!IsSimulated || Elements(c) <= MostQuick))
        .Select(c => IsSimulated ? Case(c).SetCategory("Long") : Case(c));

    private GpuBackend? _composed;

    [OneTimeTearDown]
    public void CloseComposed() => _composed?.Dispose();

    [TestCaseSource(nameof(Cases))]
    public void ItMatchesTheReferenceAndItself(OpCase opCase)
    {
        using var run = new OpRun(opCase, Gpu, DType.Float32);
        double[] output = run.Run(), gradients = run.Gradients();
        Numbers.AssertClose(output, opCase.Reference(OpRun.Values(opCase)), opCase.Tolerance, opCase.Name);
        run.AssertGapsUntouched();
        double[] again = run.Run();
        Numbers.AssertSameBits(again, output, $"{opCase}, again");
        Numbers.AssertSameBits(run.Gradients(), gradients, $"gradients of {opCase}, again");
        if (!opCase.CheckGradient)
        {
            return;
        }

        using var exact = new OpRun(opCase, Cpu, DType.Float64);
        exact.Run();
        Numbers.AssertClose(gradients, exact.Gradients(), opCase.GradientTolerance, $"gradients of {opCase}, added");
        using var copied = new OpRun(opCase, Gpu, DType.Float32, copied: true);
        copied.Run();
        Numbers.AssertClose(copied.Gradients(), exact.Gradients(), opCase.GradientTolerance, $"gradients of {opCase}, written");
    }

    /// <summary>Where calls that have a composed path are hidden, and the op is recorded otherwise for it.</summary>
    [TestCaseSource(nameof(Cases))]
    public void TheComposedPathAgreesWithTheFusedKernel(OpCase opCase)
    {
        using var first = new OpRun(opCase, Gpu, DType.Float32);
        using var second = new OpRun(opCase, _composed ??= OpenComposed(), DType.Float32);
        if (second.Tape.Nodes.Select(n => n.Op.Name).SequenceEqual(first.Tape.Nodes.Select(n => n.Op.Name)))
        {
            // One path only.
            return;
        }

        Numbers.AssertClose(second.Run(), first.Run(), 2 * opCase.Tolerance, $"{opCase}, composed");
        Numbers.AssertClose(second.Gradients(), first.Gradients(), 2 * opCase.GradientTolerance, $"gradients of {opCase}, composed");
    }

    [TestCaseSource(nameof(Differentiable))]
    public void AGradientThatIsBegunIsOneAddedToZeros(OpCase opCase)
    {
        using var added = new OpRun(opCase, Gpu, DType.Float32);
        added.Run();
        using var begun = new OpRun(opCase, Gpu, DType.Float32, begins: true);
        begun.Run();
        Numbers.AssertClose(begun.Gradients(), added.Gradients(), 1e-6, $"gradients of {opCase}, begun");
    }

    /// <summary>Where other inputs are frozen, a gradient has the same bits.</summary>
    [TestCaseSource(nameof(Differentiable))]
    public void AGradientDoesNotNeedTheOthers(OpCase opCase)
    {
        using var all = new OpRun(opCase, Gpu, DType.Float32, copied: true);
        all.Run();
        foreach (int input in all.Parameters)
        {
            using var one = new OpRun(opCase, Gpu, DType.Float32, copied: true, trained: input);
            one.Run();
            Numbers.AssertSameBits(one.Gradient(input), all.Gradient(input), $"{opCase}, input {input} alone");
        }
    }

    /// <summary>The same device without the calls that have a composed path.</summary>
    private protected virtual GpuBackend OpenComposed() => OpenDevice(composedOnly: true);

    private static long Elements(OpCase opCase) => opCase.Inputs.Select(i => i.Shape.Aggregate(1L, (product, n) => product * n)).DefaultIfEmpty().Max();

    private static TestCaseData Case(OpCase opCase) => new TestCaseData(opCase).SetArgDisplayNames(opCase.Name);
}
