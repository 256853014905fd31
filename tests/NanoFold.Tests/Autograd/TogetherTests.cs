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
