using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

/// <summary>Products side by side on a tape that do not need each other are one call.</summary>
public class TogetherTests : EngineTests
{
    private static readonly (string, int[])[] s_parameters = [("x", [40, 16]), ("a", [16, 16]), ("b", [16, 16]), ("c", [16, 16])];

    [Test]
    public void ProductsOfOneInputAre()
        => AssertTogether((tape, use) => Three(tape, use("x"), use), [(0, 2), (0, 2), (0, 2), (3, 3), (4, 4)]);

    [Test]
    public void AProductOfTheOneBeforeIsNot()
        => AssertTogether((tape, use) => LinearOp.Record(tape, LinearOp.Record(tape, use("x"), use("a")), use("b")), [(0, 0), (1, 1)]);

    [Test]
    public void ASumWithTheOneBeforeIsNot()
        => AssertTogether((tape, use) => LinearOp.Record(tape, use("x"), use("b"), residual: LinearOp.Record(tape, use("x"), use("a"))), [(0, 0), (1, 1)]);

    /// <summary>Ops that are one piece of work, where a backend asks for them: two turns and their gradients, which are parts of one.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void SmallCallsAreWhereTheBackendAsksForThem(bool asked)
    {
        using var recorded = new RecordedFunction(new CountingBackend(Backend()) { Overwrites = true, Branches = asked }, DType.Float32, s_parameters, (tape, use) =>
        {
            Tensor all = LinearOp.Record(tape, use("x"), use("a"));
            return AddOp.Record(tape, Normed(tape, all.Slice(1, 0, 8)), Normed(tape, all.Slice(1, 8, 8)));
        });
        var tape = new Tape(recorded.Store.Backend, DType.Float32, training: true);
        recorded.Record(tape);
        var schedule = new PlanSchedule(tape, recompute: false);
        int[] together = [.. Enumerable.Range(0, schedule.Calls.Count).Where(call => schedule.Together(call) is var (first, last) && first < last)];
        Assert.That(together.Select(call => (schedule.Calls[call].Kind, schedule.Calls[call].Node)), Is.EqualTo(asked
            ? new[] { (PlanStepKind.Forward, 1), (PlanStepKind.Forward, 2), (PlanStepKind.Backward, 2), (PlanStepKind.Backward, 1) }
            : []));
    }

    /// <summary>Gradients that are added to one value wait for each other, and so does what reads what the other writes.</summary>
    [Test]
    public void CallsThatMeetAreNot()
    {
        using var recorded = new RecordedFunction(new CountingBackend(Backend()) { Overwrites = true, Branches = true }, DType.Float32, s_parameters, (tape, use) =>
        {
            Tensor x = ScaleOp.Record(tape, use("x"), 2), twice = Normed(tape, Normed(tape, use("x")));
            return AddOp.Record(tape, twice, AddOp.Record(tape, Normed(tape, x), Normed(tape, x)));
        });
        var tape = new Tape(recorded.Store.Backend, DType.Float32, training: true);
        recorded.Record(tape);
        var schedule = new PlanSchedule(tape, recompute: false);
        Assert.That(schedule.Together(1), Is.EqualTo((1, 1)));
        int Back(int node) => Enumerable.Range(0, schedule.Calls.Count).Single(call => schedule.Calls[call] is { Kind: PlanStepKind.Backward } back && back.Node == node);
        Assert.That(schedule.Together(Back(4)), Is.EqualTo((Back(4), Back(4))), "both add to the gradient of x");
        Assert.That(schedule.Together(Back(1)), Is.EqualTo((Back(1), Back(1))), "it reads the gradient that the norm after it gives");
        Assert.That(schedule.Together(3), Is.EqualTo((2, 4)), "the second norm of the one, and those of the other, which only read what they share");
    }

    [Test]
    public void WhatOneOfThemReadsLastKeepsItsPlaceForAllOfThem()
    {
        using var function = new RecordedFunction(Backend(), DType.Float32, s_parameters, (_, use) => use("x"));
        var tape = new Tape(function.Store.Backend, DType.Float32);
        Tensor Use(string name) => tape.Use(function.Store[name]);
        Tensor first = ScaleOp.Record(tape, Use("x"), 2), second = ScaleOp.Record(tape, Use("x"), 3);
        Tensor y = LinearOp.Record(tape, first, Use("a")), z = LinearOp.Record(tape, second, Use("b"));
        tape.Keep(AddOp.Record(tape, y, z));
        var plan = new Plan(tape);
        using DeviceBuffer arena = function.Store.Backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        View[] read = [plan[first], plan[second]], written = [plan[y], plan[z]];
        foreach (View result in written)
        {
            Assert.That(read, Is.All.Matches<View>(view => view.Offset + view.Count <= result.Offset || result.Offset + result.Count <= view.Offset));
        }
    }

    [Test]
    public void TheyHaveTheBitsOfOneAfterTheOther([Values(1, 3)] int threads)
    {
        double[]? expected = null;
        foreach (Func<Backend> backend in (Func<Backend>[])[() => AllAtOnce(1, IsaExtensions.Best), () => AllAtOnce(threads, IsaExtensions.Best)])
        {
            using Backend own = backend();
            using var function = new RecordedFunction(own, DType.Float32, s_parameters, (tape, use) => Three(tape, use("x"), use));
            double[] all = [function.Run(), .. function.Gradients()];
            expected ??= all;
            Numbers.AssertSameBits(all, expected, $"{threads} threads");
        }
    }

    private static Tensor Normed(Tape tape, Tensor x) => RmsNormOp.Record(tape, x, default, 1e-5);

    private static Tensor Three(Tape tape, Tensor x, Func<string, Tensor> use)
    {
        Tensor a = LinearOp.Record(tape, x, use("a")), b = LinearOp.Record(tape, x, use("b")), c = LinearOp.Record(tape, x, use("c"));
        return AddOp.Record(tape, AddOp.Record(tape, a, b), c);
    }

    private void AssertTogether(Func<Tape, Func<string, Tensor>, Tensor> function, (int, int)[] expected)
    {
        using var recorded = new RecordedFunction(Backend(), DType.Float32, s_parameters, function);
        var tape = new Tape(recorded.Store.Backend, DType.Float32);
        recorded.Record(tape);
        var schedule = new PlanSchedule(tape, recompute: false);
        Assert.That(Enumerable.Range(0, expected.Length).Select(schedule.Together), Is.EqualTo(expected));
    }
}
