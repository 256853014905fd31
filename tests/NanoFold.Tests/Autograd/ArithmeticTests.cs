using NanoFold.Engine.Ops;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Null;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

/// <summary>How far products may round is the recording's: each is told, and recordings on one backend may differ.</summary>
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
            foreach (OperandRounding rounding in Enum.GetValues<OperandRounding>())
            {
                var backend = new CountingBackend(Backend(composedOnly: true));
                using var run = new OpRun(opCase, backend, new Arithmetic(DType.Float32, rounding));
                run.Run();
                (int told, int not) = backend.Rounded;
                Assert.That((told > 0, not > 0), Is.EqualTo((rounding != OperandRounding.None, rounding == OperandRounding.None)), opCase.Name);
            }
        }
    }

    [Test]
    public void KernelsThatMakeProductsAreTold()
    {
        foreach (OperandRounding rounding in Enum.GetValues<OperandRounding>())
        {
            using var backend = new NullBackend();
            var told = new Told();
            backend.Kernels.Add(told);
            foreach (OpCase opCase in OpCases.All.Where(c => c.Name.StartsWith("linear-cross-entropy", StringComparison.Ordinal) || c.Name.StartsWith("gru", StringComparison.Ordinal)))
            {
                using var run = new OpRun(opCase, backend, new Arithmetic(DType.Float32, rounding));
                run.Run();
            }

            Assert.That(told.Calls.Distinct(), Is.EquivalentTo(new[]
            {
                (LinearCrossEntropyCall.Name, rounding), (LinearCrossEntropyBackwardCall.Name, rounding),
                (RecurrentCall<Gru>.Name, rounding), (RecurrentBackwardCall<Gru>.Name, rounding),
            }));
        }
    }

    [TestCase(PrecisionKind.Float32, DType.Float32, OperandRounding.None)]
    [TestCase(PrecisionKind.TensorFloat32, DType.Float32, OperandRounding.TensorFloat32)]
    [TestCase(PrecisionKind.BFloat16, DType.BFloat16, OperandRounding.TensorFloat32)]
    [TestCase(PrecisionKind.Float16, DType.Float16, OperandRounding.TensorFloat32)]
    public void PrecisionsSayWhatIsComputedIn(PrecisionKind precision, DType type, OperandRounding rounding)
    {
        using var any = new NullBackend();
        Assert.That(precision.Arithmetic(any), Is.EqualTo(new Arithmetic(type, rounding)));
    }

    [Test]
    public void OnTheCpuProductsRoundToBFloat16()
    {
        Backend cpu = Backend();
        using var like = new NullBackend(cpu);
        foreach (Backend backend in new[] { cpu, like })
        {
            Assert.That(PrecisionKind.BFloat16.Arithmetic(backend), Is.EqualTo(new Arithmetic(DType.Float32, OperandRounding.BFloat16)));
            Assert.That(PrecisionKind.Float32.Arithmetic(backend), Is.EqualTo(new Arithmetic(DType.Float32)));
            Assert.That((PrecisionCheck.Can(PrecisionKind.BFloat16, backend), PrecisionCheck.Can(PrecisionKind.Float16, backend)), Is.EqualTo((true, false)));
        }
    }

    private sealed class Told :
        IKernel<LinearCrossEntropyCall>, IKernel<LinearCrossEntropyBackwardCall>, IKernel<RecurrentCall<Gru>>, IKernel<RecurrentBackwardCall<Gru>>
    {
        public List<(string Name, OperandRounding Rounding)> Calls { get; } = [];

        public void Run(in LinearCrossEntropyCall call) => Calls.Add((LinearCrossEntropyCall.Name, call.Rounding));

        public void Run(in LinearCrossEntropyBackwardCall call) => Calls.Add((LinearCrossEntropyBackwardCall.Name, call.Rounding));

        public void Run(in RecurrentCall<Gru> call) => Calls.Add((RecurrentCall<Gru>.Name, call.Rounding));

        public void Run(in RecurrentBackwardCall<Gru> call) => Calls.Add((RecurrentBackwardCall<Gru>.Name, call.Rounding));
    }
}
