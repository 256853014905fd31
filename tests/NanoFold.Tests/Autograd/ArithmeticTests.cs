using NanoFold.Engine.Ops;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Null;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

/// <summary>Whether products may round to tf32 is the recording's: each is told, and recordings on one backend may differ.</summary>
public class ArithmeticTests : EngineTests
{
    private static readonly string[] s_products = ["linear ", "linear-sum ", "matmul ", "grouped-linear ", "causal-mix [1, 70", "linear-cross-entropy [9"];

    [Test]
    public void EveryProductIsTold()
    {
        OpCase[] cases = [.. OpCases.All.Where(c => s_products.Any(name => c.Name.StartsWith(name, StringComparison.Ordinal)))];
        Assert.That(s_products.Where(name => !cases.Any(c => c.Name.StartsWith(name, StringComparison.Ordinal))), Is.Empty);
        foreach (OpCase opCase in cases)
        {
            foreach (bool allowed in new[] { true, false })
            {
                var backend = new CountingBackend(Backend(composedOnly: true));
                using var run = new OpRun(opCase, backend, new Arithmetic(DType.Float32, allowed));
                run.Run();
                (int told, int not) = backend.TensorFloat32;
                Assert.That((told > 0, not > 0), Is.EqualTo((allowed, !allowed)), opCase.Name);
            }
        }
    }

    [Test]
    public void KernelsThatMakeProductsAreTold()
    {
        foreach (bool allowed in new[] { true, false })
        {
            using var backend = new NullBackend();
            var told = new Told();
            backend.Kernels.Add(told);
            foreach (OpCase opCase in OpCases.All.Where(c => c.Name.StartsWith("linear-cross-entropy", StringComparison.Ordinal) || c.Name.StartsWith("gru", StringComparison.Ordinal)))
            {
                using var run = new OpRun(opCase, backend, new Arithmetic(DType.Float32, allowed));
                run.Run();
            }

            Assert.That(told.Calls.Distinct(), Is.EquivalentTo(new[]
            {
                (LinearCrossEntropyCall.Name, allowed), (LinearCrossEntropyBackwardCall.Name, allowed),
                (RecurrentCall<Gru>.Name, allowed), (RecurrentBackwardCall<Gru>.Name, allowed),
            }));
        }
    }

    [TestCase(PrecisionKind.Float32, DType.Float32, false)]
    [TestCase(PrecisionKind.TensorFloat32, DType.Float32, true)]
    [TestCase(PrecisionKind.BFloat16, DType.BFloat16, true)]
    [TestCase(PrecisionKind.Float16, DType.Float16, true)]
    public void PrecisionsSayWhatIsComputedIn(PrecisionKind precision, DType type, bool allowed)
        => Assert.That(precision.Arithmetic(), Is.EqualTo(new Arithmetic(type, allowed)));

    private sealed class Told :
        IKernel<LinearCrossEntropyCall>, IKernel<LinearCrossEntropyBackwardCall>, IKernel<RecurrentCall<Gru>>, IKernel<RecurrentBackwardCall<Gru>>
    {
        public List<(string Name, bool Allowed)> Calls { get; } = [];

        public void Run(in LinearCrossEntropyCall call) => Calls.Add((LinearCrossEntropyCall.Name, call.AllowsTensorFloat32));

        public void Run(in LinearCrossEntropyBackwardCall call) => Calls.Add((LinearCrossEntropyBackwardCall.Name, call.AllowsTensorFloat32));

        public void Run(in RecurrentCall<Gru> call) => Calls.Add((RecurrentCall<Gru>.Name, call.AllowsTensorFloat32));

        public void Run(in RecurrentBackwardCall<Gru> call) => Calls.Add((RecurrentBackwardCall<Gru>.Name, call.AllowsTensorFloat32));
    }
}
