using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

/// <summary>Gradients through handles that see part of a value, or see it several times.</summary>
public class ViewGradientTests : EngineTests
{
    private static readonly (string, int[])[] s_parameters = [("a", [4, 6]), ("b", [6]), ("c", [2, 3, 4])];

    private static IEnumerable<TestCaseData> Functions()
    {
        yield return Case("a slice", (tape, p) => Silu(tape, Double(tape, p("a")).Slice(1, 2, 3)));
        yield return Case("two slices that leave a gap", (tape, p) =>
        {
            Tensor a = Double(tape, p("a"));
            return MultiplyOp.Record(tape, a.Slice(0, 0, 2), Silu(tape, a.Slice(0, 2, 2)));
        });
        yield return Case("slices that overlap", (tape, p) =>
        {
            Tensor a = Double(tape, p("a"));
            return AddOp.Record(tape, Silu(tape, a.Slice(1, 0, 4)), a.Slice(1, 2, 4));
        });
        yield return Case("a slice and the whole", (tape, p) =>
        {
            Tensor a = Double(tape, p("a"));
            return MultiplyOp.Record(tape, Silu(tape, a), a.Slice(0, 3, 1));
        });
        yield return Case("a slice of a parameter", (tape, p) => Silu(tape, p("a").Slice(0, 1, 2)));
        yield return Case("a permuted value", (tape, p) => MultiplyOp.Record(tape,
            BroadcastOp.Contiguous(tape, Double(tape, p("c")).Permute(2, 0, 1)), Silu(tape, p("c")).Permute(2, 0, 1)));
        yield return Case("a permuted slice", (tape, p) => Silu(tape, Double(tape, p("c")).Slice(1, 1, 2).Permute(1, 2, 0)));
        yield return Case("split heads", (tape, p) => Silu(tape, Double(tape, p("a")).Slice(1, 2, 4).SplitLast(2)));
        yield return Case("a broadcast value", (tape, p) => MultiplyOp.Record(tape,
            Double(tape, p("a")), BroadcastOp.Record(tape, Silu(tape, p("b")).Reshape(1, 6), 4, 6)));
        yield return Case("a value broadcast by its reader", (tape, p) => MultiplyOp.Record(tape, p("a"), Silu(tape, p("b")).Reshape(1, 6)));
        yield return Case("a value read four times", (tape, p) =>
        {
            Tensor a = Double(tape, p("a"));
            Tensor sum = AddOp.Record(tape, a, MultiplyOp.Record(tape, a, a));
            return AddOp.Record(tape, sum, Silu(tape, a));
        });
        yield return Case("a parameter used twice", (tape, p) => MultiplyOp.Record(tape, Silu(tape, p("a")), p("a")));
        yield return Case("attention of a value to itself", (tape, p) =>
        {
            Tensor x = Double(tape, p("c")).Reshape(1, 3, 2, 4);
            return AttentionOp.Record(tape, x, x, x, 0.5, Visibility.Causal);
        });
        yield return Case("attention over parts of one value", (tape, p) =>
        {
            Tensor x = Double(tape, p("c")).Reshape(1, 2, 3, 4);
            return AttentionOp.Record(tape, x.Slice(2, 0, 1), x.Slice(2, 1, 1), x.Slice(2, 2, 1), 0.5, Visibility.Causal);
        });
        yield return Case("top-k attention of a value to itself", (tape, p) =>
        {
            Tensor x = Double(tape, p("c")).Reshape(1, 3, 2, 4);
            return KeyListAttentionOp.OfLargest(tape, x, x, x, 0.5, new KeyBudget(2), Visibility.Causal);
        });
        yield return Case("a matrix times itself", (tape, p) =>
        {
            Tensor a = Double(tape, p("a").Slice(0, 0, 4));
            return MatMulOp.Record(tape, a, a, transposeB: true);
        });
        yield return Case("a linear layer of itself", (tape, p) =>
        {
            Tensor a = Double(tape, p("a"));
            return LinearOp.Record(tape, a, a);
        });
        yield return Case("a gate of itself", (tape, p) =>
        {
            Tensor a = Double(tape, p("a"));
            return GatedActivationOp<Silu>.Record(tape, a, a);
        });
        yield return Case("a value that nothing reads", (tape, p) =>
        {
            _ = Silu(tape, Double(tape, p("a")));
            return Silu(tape, p("b"));
        });
    }

    [TestCaseSource(nameof(Functions))]
    public void TheyMatchFiniteDifferences(Func<Tape, Func<string, Tensor>, Tensor> function)
    {
        using var recorded = new RecordedFunction(Backend(), DType.Float64, s_parameters, function);
        using var check = new GradCheck(recorded.Store, recorded.Record);
        foreach (GradientDifference difference in check.Run(elements: 24))
        {
            Assert.That(difference.Relative, Is.LessThan(1e-7), difference.ToString());
        }
    }

    [TestCaseSource(nameof(Functions))]
    public void TheyDoNotDependOnWhereValuesLie(Func<Tape, Func<string, Tensor>, Tensor> function)
    {
        using var recorded = new RecordedFunction(Backend(), DType.Float32, s_parameters, function);
        _ = recorded.Run();
        double[] gradients = recorded.Gradients();
        Backend backend = recorded.Store.Backend;
        backend.Fill(recorded.Store.AllGradients, 0);
        var tape = new Tape(backend, training: true);
        recorded.Record(tape);
        using var separate = new SeparateMemory(tape);
        separate.Run();
        Numbers.AssertSameBits(recorded.Gradients(), gradients, "memory of its own");
    }

    [TestCaseSource(nameof(Functions))]
    public void TheyMayBeBegunRatherThanAdded(Func<Tape, Func<string, Tensor>, Tensor> function)
    {
        using var recorded = new RecordedFunction(new CountingBackend(Backend()) { Overwrites = true }, DType.Float32, s_parameters, function);
        _ = recorded.Run();
        double[] added = recorded.Gradients();
        _ = recorded.Run(begins: true);
        // Zeros may have another sign.
        Assert.That(recorded.Gradients(), Is.EqualTo(added));
    }

    private static TestCaseData Case(string name, Func<Tape, Func<string, Tensor>, Tensor> function) => new TestCaseData(function).SetArgDisplayNames(name);

    private static Tensor Silu(Tape tape, Tensor x) => ActivationOp<Silu>.Record(tape, x);

    private static Tensor Double(Tape tape, Tensor x) => AddOp.Record(tape, x, x);
}
