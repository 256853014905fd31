using NanoFold.Engine.Autograd;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Null;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Tests.Benchmarks;

/// <summary>The large cases are recorded, not run: what they stand for and what they cost.</summary>
public class SpeedCasesTests
{
    // What only moves or compares values or takes integers calculates no real number, and what the host calculates is no kernel's.
    private static readonly HashSet<Type> s_withoutFlops =
    [
        typeof(EmbeddingOp), typeof(BroadcastOp), typeof(JoinOp), typeof(WithOneOp), typeof(DetachOp), typeof(ExpertGatherOp), typeof(ExpertChoiceOp), typeof(PatternRowsOp), typeof(ContinuationOp),
        typeof(TakeAlongOp), typeof(IntegerMapOp), typeof(IntegerRangeOp), typeof(IntegerConversionOp),
    ];

    [Test]
    public void NamesAreUnique() => Assert.That(SpeedCases.All.Concat(OpCases.All).Select(c => c.Name), Is.Unique);

    [Test]
    public void EveryOpWithCasesHasOneOfEveryPreset()
    {
        string[] ops = [.. OpCases.All.Select(c => Nodes(c)[^1].Op.Name).Distinct()];
        Assert.That(ops, Has.Length.GreaterThan(20));
        foreach (BlockShape shape in SpeedCases.Shapes)
        {
            Assert.That(ops.Except(OpCases.At(shape).Select(c => Nodes(c)[^1].Op.Name)), Is.Empty, shape.Name);
        }
    }

    [Test]
    public void TheirCostsAreStated()
    {
        foreach (OpCase opCase in SpeedCases.All)
        {
            (KernelCost forward, KernelCost backward) = OpRunner.CostOf(opCase);
            Assert.That(forward.Bytes, Is.Positive, opCase.Name);
            Assert.That(forward.Flops, CalculatesNothing(opCase) ? Is.Zero : Is.Positive, opCase.Name);
            Assert.That(backward.Bytes, opCase.CheckGradient ? Is.Positive : Is.Zero, opCase.Name);
        }
    }

    [TestCase("linear small up", 2L * 2048 * 384 * 1024, 4L * (2048 * 384 + 1024 * 384 + 2048 * 1024))]
    [TestCase("linear gpt2 decode [1,", 2L * 768 * 2048, 4L * (768 + 2048 * 768 + 2048))]
    [TestCase("attention nano causal", 4L * 12 * 4 * 32 * (64 * 65 / 2), 4L * ((4 * 12 * 64 * 128) + (12 * 4 * 64)))]
    [TestCase("silu-gated small", 30L * 2048 * 1024, 4L * 3 * 2048 * 1024)]
    [TestCase("embedding small", 0L, 4L * (2 * 2048 * 384 + 2048))]
    public void CostsAreThoseWorkedOutByHand(string beginning, long flops, long bytes)
    {
        KernelCost cost = OpRunner.CostOf(SpeedCases.All.First(c => c.Name.StartsWith(beginning, StringComparison.Ordinal))).Forward;
        Assert.That(cost, Is.EqualTo(new KernelCost(flops, bytes)));
    }

    [Test]
    public void ShapesAreThoseOfThePresets()
    {
        Assert.That(SpeedCases.Shapes.Select(s => s.Name), Is.EqualTo(Presets.Names));
        Assert.That(SpeedCases.Shapes.Select(s => s.Tokens), Is.EqualTo(new[] { 12 * 64, 8 * 256, 2 * 1024 }));
    }

    [Test]
    [Category("Long")]
    public void ThoseOfNanoAreRight()
    {
        using var backend = new CpuBackend(2);
        foreach (OpCase opCase in OpCases.At(SpeedCases.Shapes.First()))
        {
            KernelCheck check = KernelCheck.Of(opCase, backend);
            Assert.That(check.Passes, Is.True, $"{opCase}: {check}");
        }
    }

    // Weights that are taken as they are cost nothing either.
    private static bool CalculatesNothing(OpCase opCase) =>
        Nodes(opCase).All(node => s_withoutFlops.Contains(node.Op.GetType()) || (node.Op is ExpertWeightsOp && opCase.Name.StartsWith("expert-choice", StringComparison.Ordinal)));

    private static IReadOnlyList<Node> Nodes(OpCase opCase)
    {
        using var backend = new NullBackend();
        var tape = new Tape(backend);
        Tensor[] inputs = [.. opCase.Inputs.Select((input, i) =>
        {
            DType type = input.IsInteger ? DType.Int32 : DType.Float32;
            Layout layout = Layout.Of(input.Shape);
            return tape.External($"input {i}", new View(backend.Allocate(layout.Count * type.Size()), 0, layout, type));
        })];
        _ = opCase.Record(tape, inputs);
        return tape.Nodes;
    }
}
