using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Cpu.Experts;

/// <summary>Mixture-of-experts routing on the CPU.</summary>
public sealed unsafe class CpuExpertRouting(CpuContext context) : IExpertRouting
{
    private readonly RouterLossKernel _routerLoss = new(context);

    public void Sort(in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow)
    {
        const string Op = "expert sort";
        ExpertChecks.Sort(Op, indices, offsets, rowOfSlot, tokenOfRow);
        long slots = indices.Count;
        int k = indices.Layout[1];
        int experts = checked((int)(offsets.Count - 1));
        RowCheck.Indices(Op, "expert", indices, experts, optional: false);
        int* expert = indices.Ints, start = offsets.Ints, row = rowOfSlot.Ints, token = tokenOfRow.Ints;
        new Span<int>(start, experts + 1).Clear();
        for (long slot = 0; slot < slots; slot++)
        {
            start[expert[slot] + 1]++;
        }

        for (int e = 0; e < experts; e++)
        {
            start[e + 1] += start[e];
        }

        // Each start counts up to the next one's while its rows are given out, and is shifted back behind the loop.
        for (long slot = 0; slot < slots; slot++)
        {
            int place = start[expert[slot]]++;
            row[slot] = place;
            token[place] = (int)(slot / k);
        }

        for (int e = experts; e > 0; e--)
        {
            start[e] = start[e - 1];
        }

        start[0] = 0;
    }

    public void Combine(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate)
    {
        const string Op = "expert combine";
        ExpertChecks.Combine(Op, rows, weights, rowOfSlot, y);
        CombineWork work = Start(Op, rows, weights, rowOfSlot, y);
        work.Accumulate = accumulate;
        context.Run(y.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void CombineBackward(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
    {
        const string Op = "expert combine backward";
        ExpertChecks.CombineBackward(Op, rows, weights, rowOfSlot, dy, dRows, dWeights);
        CombineWork work = Start(Op, rows, weights, rowOfSlot, dy);
        work.Backward = true;
        work.DRows = (byte*)dRows.Address;
        work.DRowStride = dRows.IsNone ? 0 : dRows.Layout.Stride(0);
        work.DWeights = dWeights.Address;
        context.Run(dy.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void Weights(in View probabilities, in View indices, in View weights, bool renormalize)
    {
        const string Op = "expert weights";
        ExpertChecks.Weights(Op, probabilities, indices, weights);
        ExpertWeights work = Start(Op, probabilities, indices, weights, renormalize);
        context.Run(probabilities.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void WeightsBackward(in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities, bool renormalize)
    {
        const string Op = "expert weights backward";
        ExpertChecks.WeightsBackward(Op, probabilities, indices, weights, dWeights, dProbabilities);
        ExpertWeights work = Start(Op, probabilities, indices, weights, renormalize);
        work.Backward = true;
        work.DWeights = dWeights.Address;
        work.DProbabilities = (byte*)dProbabilities.Address;
        work.DProbabilityStride = dProbabilities.Layout.Stride(0);
        context.Run(probabilities.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void RouterLoss(in View logits, in View probabilities, in View offsets, in View load, in View loss, double balance, double z)
        => _routerLoss.Forward(logits, probabilities, offsets, load, loss, balance, z);

    public void RouterLossBackward(
        in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
        => _routerLoss.Backward(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);

    private static CombineWork Start(string op, in View rows, in View weights, in View rowOfSlot, in View tokens)
    {
        RowCheck.Indices(op, "place", rowOfSlot, rowOfSlot.Count, optional: false);
        int width = tokens.Layout[1];
        return new CombineWork
        {
            Rows = (byte*)rows.Address,
            RowStride = rows.Layout.Stride(0),
            Weights = weights.Address,
            RowOfSlot = rowOfSlot.Ints,
            Token = (byte*)tokens.Address,
            TokenStride = tokens.Layout.Stride(0),
            Tokens = tokens.Layout[0],
            TokensPerItem = RowBlocks.RowsPerItem(width),
            Slots = rowOfSlot.Layout[1],
            Width = width,
        };
    }

    private static ExpertWeights Start(string op, in View probabilities, in View indices, in View weights, bool renormalize)
    {
        int experts = probabilities.Layout[1];
        RowCheck.Indices(op, "expert", indices, experts, optional: false);
        return new ExpertWeights
        {
            Probabilities = (byte*)probabilities.Address,
            ProbabilityStride = probabilities.Layout.Stride(0),
            Indices = indices.Ints,
            Weights = weights.Address,
            Tokens = indices.Layout[0],
            TokensPerItem = RowBlocks.RowsPerItem(experts),
            Slots = indices.Layout[1],
            Experts = experts,
            Renormalize = renormalize,
        };
    }
}
