using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Experts;

public class ExpertRoutingTests : GpuTests
{
    private static int Tokens => IsSimulated ? 21 : 1000;

    private static int Experts => 5;

    private static int Slots => 2;

    [Test]
    public void SlotsAreSortedByExpert()
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin indices = Indices(twins), offsets = twins.Integers([Experts + 1], new int[Experts + 1]);
        Twin rowOfSlot = twins.Integers([Tokens, Slots], new int[Tokens * Slots]), tokenOfRow = twins.Integers([Tokens * Slots], new int[Tokens * Slots]);
        Gpu.Run(new ExpertSortCall(indices.Gpu, offsets.Gpu, rowOfSlot.Gpu, tokenOfRow.Gpu));
        Cpu.Run(new ExpertSortCall(indices.Cpu, offsets.Cpu, rowOfSlot.Cpu, tokenOfRow.Cpu));
        twins.AssertSame(offsets);
        twins.AssertSame(rowOfSlot);
        twins.AssertSame(tokenOfRow);
    }

    [Test]
    public void RowsAreCombined([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values(6, 8)] int width, [Values] bool isWeighted)
    {
        using var twins = new Twins(Gpu, Cpu);
        int tokens = IsSimulated ? 3 : 100;
        Twin places = twins.Integers([tokens, Slots], [.. Enumerable.Range(0, tokens * Slots).Select(i => (i * 7 + 3) % (tokens * Slots))]);
        Twin rows = twins.Random(type, 1, tokens * Slots, width), weights = isWeighted ? twins.Random(type, 2, tokens, Slots) : Twins.None;
        Twin y = twins.Random(type, 3, tokens, 2 * width), part = y.Slice(1, width, width);
        Gpu.Run(new ExpertCombineCall(rows.Gpu, weights.Gpu, places.Gpu, part.Gpu, Accumulate: isWeighted));
        Cpu.Run(new ExpertCombineCall(rows.Cpu, weights.Cpu, places.Cpu, part.Cpu, Accumulate: isWeighted));
        twins.AssertClose(y, 2 * Twins.Tolerance(type));

        Twin dRows = twins.Random(type, 4, tokens * Slots, width), dWeights = twins.Random(type, 5, tokens, Slots);
        Gpu.Run(new ExpertCombineBackwardCall(rows.Gpu, weights.Gpu, places.Gpu, part.Gpu, dRows.Gpu, isWeighted ? dWeights.Gpu : default));
        Cpu.Run(new ExpertCombineBackwardCall(rows.Cpu, weights.Cpu, places.Cpu, part.Cpu, dRows.Cpu, isWeighted ? dWeights.Cpu : default));
        twins.AssertClose(dRows, 4 * Twins.Tolerance(type));
        twins.AssertClose(dWeights, 4 * Twins.Tolerance(type));
        if (isWeighted)
        {
            Gpu.Run(new ExpertCombineBackwardCall(rows.Gpu, weights.Gpu, places.Gpu, part.Gpu, default, dWeights.Gpu));
            twins.AssertClose(dWeights, 4 * Twins.Tolerance(type), "without dRows");
        }
    }

    [Test]
    public void WeightsOfTheExpertsKept([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool renormalize)
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin indices = Indices(twins), weights = twins.Random(type, 1, Tokens, Slots), dWeights = twins.Random(type, 2, Tokens, Slots);
        Twin probabilities = Probabilities(twins, twins.Random(type, 3, Tokens, Experts), type), dProbabilities = twins.Random(type, 4, Tokens, Experts + 1);
        Gpu.Run(new ExpertWeightsCall(probabilities.Gpu, indices.Gpu, weights.Gpu, renormalize));
        Cpu.Run(new ExpertWeightsCall(probabilities.Cpu, indices.Cpu, weights.Cpu, renormalize));
        twins.AssertClose(weights, Twins.Tolerance(type));
        Twin part = dProbabilities.Slice(1, 1, Experts);
        Gpu.Run(new ExpertWeightsBackwardCall(probabilities.Gpu, indices.Gpu, weights.Gpu, dWeights.Gpu, part.Gpu, renormalize));
        Cpu.Run(new ExpertWeightsBackwardCall(probabilities.Cpu, indices.Cpu, weights.Cpu, dWeights.Cpu, part.Cpu, renormalize));
        twins.AssertClose(dProbabilities, 4 * Twins.Tolerance(type));
    }

    [Test]
    public void LossOfTheRouter([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool accumulate)
    {
        foreach (Backend backend in new Backend[] { Gpu, Cpu })
        {
            backend.State.Set(StepSlot.MicroBatchCount, 3L);
            backend.State.Set(StepSlot.Loss, 0.5);
            backend.State.Set(StepSlot.BalanceLoss, 0.25);
            backend.State.Set(StepSlot.ZLoss, 0.125);
            backend.State.Set(StepSlot.LossScale, 4.0);
        }

        using var twins = new Twins(Gpu, Cpu);
        int slots = Tokens * Slots;
        Twin logits = twins.Random(type, 1, Tokens, Experts), probabilities = Probabilities(twins, logits, type);
        Twin offsets = twins.Integers([Experts + 1], [0, 4, 4, 9, 20, slots]);
        Twin load = twins.Random(DType.Float32, 2, Experts), loss = twins.Random(DType.Float32, 3, 1), dLogits = twins.Random(type, 4, Tokens, Experts);
        Gpu.Run(new RouterLossCall(logits.Gpu, probabilities.Gpu, offsets.Gpu, load.Gpu, loss.Gpu, 0.01, 0.001));
        Cpu.Run(new RouterLossCall(logits.Cpu, probabilities.Cpu, offsets.Cpu, load.Cpu, loss.Cpu, 0.01, 0.001));
        twins.AssertClose(load, 1e-6);
        twins.AssertClose(loss, 1e-5);
        foreach (StepSlot slot in new[] { StepSlot.BalanceLoss, StepSlot.ZLoss, StepSlot.Loss })
        {
            Assert.That(Gpu.State.GetDouble(slot), Is.EqualTo(Cpu.State.GetDouble(slot)).Within(1e-6), slot.ToString());
        }

        Twin dLoss = twins.New(DType.Float32, [1], [2]);
        Gpu.Run(new RouterLossBackwardCall(logits.Gpu, probabilities.Gpu, load.Gpu, dLoss.Gpu, dLogits.Gpu, 0.01, 0.001, accumulate));
        Cpu.Run(new RouterLossBackwardCall(logits.Cpu, probabilities.Cpu, load.Cpu, dLoss.Cpu, dLogits.Cpu, 0.01, 0.001, accumulate));
        twins.AssertClose(dLogits, 2 * Twins.Tolerance(type));
    }

    private static Twin Indices(Twins twins) => twins.Integers([Tokens, Slots], [.. Enumerable.Range(0, Tokens * Slots).Select(i => i % 2 == 0 ? i * i / 4 % 3 : 4)]);

    /// <summary>Softmax of logits, rounded to the type on both sides.</summary>
    private Twin Probabilities(Twins twins, in Twin logits, DType type)
    {
        Twin probabilities = twins.Random(type, 9, Tokens, Experts);
        Gpu.Softmax(logits.Gpu, probabilities.Gpu, 1, default);
        return twins.New(type, [Tokens, Experts], twins.Read(probabilities));
    }
}
