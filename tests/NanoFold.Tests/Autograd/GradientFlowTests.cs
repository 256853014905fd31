using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

/// <summary>How gradients begin, and which of them are one memory.</summary>
public class GradientFlowTests : EngineTests
{
    private static readonly (string, int[])[] s_parameters = [("x", [40, 16]), ("w", [16, 16]), ("u", [16, 16])];

    [Test]
    public void TheGradientsOfAStreamAreOneMemory()
    {
        (Tape tape, PlanSchedule schedule) = Schedule(overwrites: false, (tape, use) =>
        {
            Tensor x = ScaleOp.Record(tape, use("x"), 2);
            Tensor y = LinearOp.Record(tape, ActivationOp<Silu>.Record(tape, x), use("w"), residual: x);
            return LinearOp.Record(tape, ActivationOp<Silu>.Record(tape, y), use("u"), residual: y);
        });
        int[] stream = [.. tape.Nodes.Where(node => node.Op is ScaleOp or LinearOp).Select(node => node.Outputs[0].Id)];
        Assert.That(stream.Select(schedule.GradientMemory), Is.All.EqualTo(stream[^1]));
        Assert.That(tape.Nodes.Where(node => node.Op is ActivationOp<Silu>).Select(node => schedule.GradientMemory(node.Outputs[0].Id)), Is.Unique.And.None.EqualTo(stream[^1]));
    }

    [Test]
    public void OnlyOneOfTwoSummandsHasTheMemoryOfTheSum()
    {
        (Tape tape, PlanSchedule schedule) = Schedule(overwrites: false, (tape, use) =>
            AddOp.Record(tape, ScaleOp.Record(tape, use("x"), 2), ScaleOp.Record(tape, use("x"), 3)));
        int[] ids = [.. tape.Nodes.Take(3).Select(node => node.Outputs[0].Id)];
        Assert.That(ids.Select(schedule.GradientMemory), Is.EqualTo(new[] { ids[2], ids[1], ids[2] }));
    }

    [TestCase("itself", "add to itself")]
    [TestCase("later", "a gradient that was begun before")]
    [TestCase("part", "a part of a value")]
    public void OthersHaveTheirOwn(string kind, string why)
    {
        (Tape tape, PlanSchedule schedule) = Schedule(overwrites: false, (tape, use) =>
        {
            Tensor x = ScaleOp.Record(tape, use("x"), 2);
            Tensor sum = AddOp.Record(tape, kind == "part" ? x.Slice(1, 0, 8) : x, kind switch { "part" => use("x").Slice(1, 0, 8), "itself" => x, _ => use("x") });
            return kind == "later" ? MultiplyOp.Record(tape, sum, x) : sum;
        });
        int first = tape.Nodes[0].Outputs[0].Id;
        Assert.That(schedule.GradientMemory(first), Is.EqualTo(first), why);
    }

    [TestCase(true, 16, 0)]
    [TestCase(true, 12, 1, TestName = "A gap")]
    [TestCase(false, 16, 1, TestName = "Where the backend does not ask for it")]
    public void PartsThatAreTheWholeBeginEachByItself(bool overwrites, int end, int zeros)
    {
        (_, PlanSchedule schedule) = Schedule(overwrites, (tape, use) =>
        {
            Tensor all = LinearOp.Record(tape, use("x"), use("w"));
            Tensor a = all.Slice(1, 0, 8).SplitLast(2), b = all.Slice(1, 8, end - 8);
            return AddOp.Record(tape, Sum(tape, ActivationOp<Silu>.Record(tape, a)), Sum(tape, ActivationOp<Silu>.Record(tape, b)));
        });
        Assert.That(schedule.Calls.Count(call => call is { Kind: PlanStepKind.Fill, Value: 0 }), Is.EqualTo(zeros));
    }

    [Test]
    public void AParameterOfWhichARunReadsAPartBeginsWithZeros()
    {
        (Tape tape, PlanSchedule schedule) = Schedule(overwrites: true, (tape, use) => LinearOp.Record(tape, use("x"), use("w").Slice(0, 3, 5)));
        int matrix = tape.Nodes[0].Inputs[1].Id;
        Assert.That(schedule.Calls.Where(call => call is { Kind: PlanStepKind.Fill, Value: 0 }).Select(call => call.Target), Is.EqualTo(new[] { matrix }));
        ScheduledCall backward = schedule.Calls.Single(call => call.Kind == PlanStepKind.Backward && call.Node == 0);
        Assert.That(backward.Accumulate[..2], Is.EqualTo(new[] { false, true }));
    }

    private static Tensor Sum(Tape tape, Tensor x) => DotOp.Record(tape, x, x);

    private (Tape Tape, PlanSchedule Schedule) Schedule(bool overwrites, Func<Tape, Func<string, Tensor>, Tensor> function)
    {
        using var recorded = new RecordedFunction(new CountingBackend(Backend()) { Overwrites = overwrites }, DType.Float32, s_parameters, function);
        var tape = new Tape(recorded.Store.Backend, training: true);
        recorded.Record(tape);
        return (tape, new PlanSchedule(tape, recompute: false, overwrites));
    }
}
