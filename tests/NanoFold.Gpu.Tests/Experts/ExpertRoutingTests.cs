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
    public void ExpertsAreChosen(
        [Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values(1, 3)] int groups, [Values] bool isBiased)
    {
        using var twins = new Twins(Gpu, Cpu);
        // Multiples of 1/8: ties.
        Twin scores = twins.New(type, [Tokens, 6], [.. Enumerable.Range(0, 6 * Tokens).Select(i => i * 5 % 7 / 8f)]);
        Twin bias = isBiased ? twins.New(DType.Float32, [6], [0.25f, -1, 0, 0.125f, -0.875f, 0]) : Twins.None;
        Twin indices = twins.Integers([Tokens, 3], new int[3 * Tokens]);
        Gpu.Run(new ExpertChoiceCall(scores.Gpu, bias.Gpu, indices.Gpu, groups, groups > 1 ? 1 : groups));
        Cpu.Run(new ExpertChoiceCall(scores.Cpu, bias.Cpu, indices.Cpu, groups, groups > 1 ? 1 : groups));
        twins.AssertSame(indices);
    }

    [Test]
    public void SlotsBeyondTheCapacityAreDroppedAndCounted()
    {
        using var twins = new Twins(Gpu, Cpu);
        int sequences = IsSimulated ? 3 : 8;
        Twin indices = Indices(twins), kept = twins.Integers([Tokens, Slots], new int[Tokens * Slots]), routed = twins.Integers([Experts + 1], new int[Experts + 1]);
        Twin offsets = twins.Integers([Experts + 1], new int[Experts + 1]), counts = twins.Integers([Experts + 1], [7, 0, 0, 1, 0, 2]);
        Twin rowOfSlot = twins.Integers([Tokens, Slots], new int[Tokens * Slots]), tokenOfRow = twins.Integers([Tokens * Slots], new int[Tokens * Slots]);
        foreach (Backend backend in new Backend[] { Gpu, Cpu })
        {
            View Of(Twin twin) => backend == Gpu ? twin.Gpu : twin.Cpu;
            backend.Run(new ExpertCapacityCall(Of(indices), Of(kept), Of(routed), sequences, 4));
            backend.Run(new ExpertSortCall(Of(kept), Of(offsets), Of(rowOfSlot), Of(tokenOfRow)));
            backend.Run(new ExpertTallyCall(Of(routed), Of(offsets), Of(counts)));
        }

        foreach (Twin twin in new[] { kept, routed, offsets, rowOfSlot, tokenOfRow, counts })
        {
            twins.AssertSame(twin);
        }

        int width = 8;
        Twin rows = twins.Random(DType.Float32, 1, Tokens * Slots, width), weights = twins.Random(DType.Float32, 2, Tokens, Slots), y = twins.Random(DType.Float32, 3, Tokens, width);
        Twin dRows = twins.Random(DType.Float32, 4, Tokens * Slots, width), dWeights = twins.Random(DType.Float32, 5, Tokens, Slots);
        Gpu.Run(new ExpertCombineCall(rows.Gpu, weights.Gpu, rowOfSlot.Gpu, y.Gpu, Accumulate: false));
        Cpu.Run(new ExpertCombineCall(rows.Cpu, weights.Cpu, rowOfSlot.Cpu, y.Cpu, Accumulate: false));
        Gpu.Run(new ExpertCombineBackwardCall(rows.Gpu, weights.Gpu, rowOfSlot.Gpu, y.Gpu, dRows.Gpu, dWeights.Gpu));
        Cpu.Run(new ExpertCombineBackwardCall(rows.Cpu, weights.Cpu, rowOfSlot.Cpu, y.Cpu, dRows.Cpu, dWeights.Cpu));
        twins.AssertClose(y, 1e-6);
        twins.AssertClose(dRows, 1e-5);
        twins.AssertClose(dWeights, 1e-5);
    }

    [TestCase(0)]
    [TestCase(0.5)]
    public void TheBiasFollowsTheCounts(double gradientScale)
    {
        GpuState.Set(StepSlot.GradientScale, gradientScale);
        CpuState.Set(StepSlot.GradientScale, gradientScale);
        using var twins = new Twins(Gpu, Cpu);
        Twin counts = twins.Integers([Experts + 1], [3, 5, 0, 4, 8, 99]), bias = twins.New(DType.Float32, [Experts], [1, 2, 3, 4, 5]);
        Gpu.Run(new ExpertBiasCall(GpuState, counts.Gpu, bias.Gpu, 0.25));
        Cpu.Run(new ExpertBiasCall(CpuState, counts.Cpu, bias.Cpu, 0.25));
        float[] expected = gradientScale == 0 ? [1, 2, 3, 4, 5] : [1.25f, 1.75f, 3.25f, 4, 4.75f];
        Assert.That(twins.Read(bias), Is.EqualTo(expected));
        twins.AssertClose(bias, 0);
    }

    [Test]
    public void LossOfTheRouter([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool accumulate)
    {
        (StepSlot balance, StepSlot z) = (default, default);
        foreach (StepState state in new[] { GpuState, CpuState })
        {
            (balance, z) = (state.AddTerm("balanceLoss"), state.AddTerm("zLoss"));
            state.Set(StepSlot.MicroBatchCount, 3L);
            state.Set(StepSlot.Loss, 0.5);
            state.Set(balance, 0.25);
            state.Set(z, 0.125);
            state.Set(StepSlot.LossScale, 4.0);
        }

        using var twins = new Twins(Gpu, Cpu);
        int slots = Tokens * Slots;
        Twin logits = twins.Random(type, 1, Tokens, Experts), probabilities = Probabilities(twins, logits, type);
        Twin offsets = twins.Integers([Experts + 1], [0, 4, 4, 9, 20, slots]);
        Twin load = twins.Random(DType.Float32, 2, Experts), loss = twins.Random(DType.Float32, 3, 1), dLogits = twins.Random(type, 4, Tokens, Experts);
        Gpu.Run(new RouterLossCall(GpuState, logits.Gpu, probabilities.Gpu, offsets.Gpu, load.Gpu, loss.Gpu, 0.01, 0.001, balance, z));
        Cpu.Run(new RouterLossCall(CpuState, logits.Cpu, probabilities.Cpu, offsets.Cpu, load.Cpu, loss.Cpu, 0.01, 0.001, balance, z));
        twins.AssertClose(load, 1e-6);
        twins.AssertClose(loss, 1e-5);
        foreach (StepSlot slot in new[] { balance, z, StepSlot.Loss })
        {
            Assert.That(GpuState.GetDouble(slot), Is.EqualTo(CpuState.GetDouble(slot)).Within(1e-6), slot.ToString());
        }

        Twin dLoss = twins.New(DType.Float32, [1], [2]);
        Gpu.Run(new RouterLossBackwardCall(GpuState, logits.Gpu, probabilities.Gpu, load.Gpu, dLoss.Gpu, dLogits.Gpu, 0.01, 0.001, accumulate));
        Cpu.Run(new RouterLossBackwardCall(CpuState, logits.Cpu, probabilities.Cpu, load.Cpu, dLoss.Cpu, dLogits.Cpu, 0.01, 0.001, accumulate));
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
