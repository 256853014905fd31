using NanoFold.Engine.Autograd;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Profiling;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Benchmarks;

public class OpRunnerTests
{
    private static readonly CpuBackend s_backend = new(1);

    private static IEnumerable<TestCaseData> Cases => OpCases.All.Select(c => new TestCaseData(c).SetArgDisplayNames(c.Name));

    [OneTimeTearDown]
    public void Dispose() => s_backend.Dispose();

    [TestCaseSource(nameof(Cases))]
    public void TheCheckPassesWhatIsRight(OpCase opCase)
    {
        KernelCheck check = KernelCheck.Of(opCase, s_backend);
        Assert.That(check.Passes, Is.True, check.ToString());
        Assert.That(check.Reference, Is.EqualTo(KernelCheck.Naive));
        Assert.That(check.GradientError.HasValue, Is.EqualTo(opCase.CheckGradient));
    }

    [Test]
    public void TheCheckFailsWhatIsWrong()
    {
        OpCase right = OpCases.All.First(c => c.Name.StartsWith("add", StringComparison.Ordinal));
        KernelCheck check = KernelCheck.Of(right with { Reference = a => [.. right.Reference(a).Select((y, i) => i == 7 ? y + 1e-3 : y)] }, s_backend);
        Assert.That(check.Passes, Is.False);
        Assert.That(check.Error, Is.EqualTo(5e-4).Within(1e-4));
    }

    [TestCaseSource(nameof(Cases))]
    public void PassesRunAgainChangeNothing(OpCase opCase)
    {
        using var runner = new OpRunner(opCase, s_backend, DType.Float64);
        runner.Run();
        double[] output = runner.Output();
        double[] gradients = runner.Gradients();
        for (int i = 0; i < 3; i++)
        {
            runner.Forward();
            runner.Backward();
        }

        Numbers.AssertSameBits(runner.Output(), output, opCase.Name);
        runner.Run();
        Numbers.AssertSameBits(runner.Gradients(), gradients, $"gradients of {opCase}");
    }

    [Test]
    public void WorkIsThatOfTheOpAlone()
    {
        using var runner = new OpRunner(OpCases.All.First(c => c.Name == "linear [3, 5] x [7, 5]"), s_backend);
        Assert.That(runner.Ops, Is.EqualTo(new[] { "linear" }));
        // The gradient of the weights is added to.
        (KernelCost forward, KernelCost backward) = OpRunner.CostOf(runner.Case);
        Assert.That(forward, Is.EqualTo(new KernelCost(2 * 3 * 5 * 7, 4 * (15 + 35 + 21))));
        Assert.That(backward, Is.EqualTo(new KernelCost(4 * 3 * 5 * 7, 4 * (21 + 35 + 15 + 21 + 15 + (2 * 35)))));
        Assert.That(runner.HasBackward, Is.True);
    }

    [TestCase(new[] { 1.0, 2 }, new[] { 1.0, 4 }, 0.5)]
    [TestCase(new[] { 1.0, double.NaN }, new[] { 1.0, 4 }, double.PositiveInfinity)]
    [TestCase(new[] { 1.0 }, new[] { 1.0, 4 }, double.PositiveInfinity)]
    [TestCase(new[] { 0.0 }, new[] { 0.0 }, 0)]
    public void ErrorsAreRelativeToTheLargestMagnitude(double[] actual, double[] expected, double error) =>
        Assert.That(KernelCheck.RelativeError(actual, expected), Is.EqualTo(error));
}
