using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Gpu.RecurrentHeads;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.RecurrentHeads;

/// <summary>What the cases of the op suite are too small for.</summary>
public class RecurrentHeadsTests : GpuTests
{
    // Several slices of the keys, columns of two groups, heads that share keys.
    private static IEnumerable<TestCaseData> Wide =>
        from decay in new[] { HeadDecay.Scalar, HeadDecay.Vector }
        select new TestCaseData(new RecurrentHeadsCase(1, 18, 1, 2, 67, 66, decay, IsDelta: true) { HasDocuments = true, HasInitial = true }.Case with { Tolerance = 1e-5 })
            .SetArgDisplayNames($"{decay}");

    [TestCaseSource(nameof(Wide))]
    public void WideHeadsAreThoseOfTheReference(OpCase opCase) => AssertAgrees(opCase);

    [Test]
    public void ABackwardPassInSpansIsThatOfTheWhole()
    {
        var kernel = (GpuRecurrentHeads)Gpu.Require<RecurrentHeadsCall>();
        long most = kernel.MostSpanBytes;
        OpCase opCase = new RecurrentHeadsCase(2, 150, 1, 2, 3, 4, HeadDecay.Vector, true) { HasInitial = true }.Case;
        double[] whole = AssertAgrees(opCase);
        try
        {
            kernel.MostSpanBytes = 1;
            Numbers.AssertSameBits(AssertAgrees(opCase), whole, "gradients");
        }
        finally
        {
            kernel.MostSpanBytes = most;
        }
    }

    private double[] AssertAgrees(OpCase opCase)
    {
        using var run = new OpRun(opCase, Gpu, DType.Float32);
        using var exact = new OpRun(opCase, Cpu, DType.Float64);
        Numbers.AssertClose(run.Run(), exact.Run(), opCase.Tolerance, opCase.Name);
        double[] gradients = run.Gradients();
        Numbers.AssertClose(gradients, exact.Gradients(), opCase.GradientTolerance, $"gradients of {opCase}");
        run.AssertGapsUntouched();
        return gradients;
    }
}
