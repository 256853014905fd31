using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Experts;

/// <summary>Mixture-of-experts routing on the CPU.</summary>
public sealed unsafe class CpuExpertRouting(CpuContext context) :
    IKernel<ExpertSortCall>, IKernel<ExpertCombineCall>, IKernel<ExpertCombineBackwardCall>, IKernel<ExpertWeightsCall>, IKernel<ExpertWeightsBackwardCall>
{
    public void Run(in ExpertSortCall call)
    {
        call.Check();
        View indices = call.Indices;
        long slots = indices.Count;
        int k = indices.Layout[1];
        int experts = checked((int)(call.Offsets.Count - 1));
        RowCheck.Indices(ExpertSortCall.Name, "expert", indices, experts, optional: true);
        int* expert = indices.Ints, start = call.Offsets.Ints, row = call.RowOfSlot.Ints, token = call.TokenOfRow.Ints;
        new Span<int>(start, experts + 1).Clear();
        for (long slot = 0; slot < slots; slot++)
        {
            // Of a dropped slot the count goes to the first start, which is 0 again below.
            start[expert[slot] + 1]++;
        }

        long rows = call.TokenOfRow.Count, kept = slots - start[0];
        start[0] = 0;
        if (kept > rows)
        {
            Checks.Throw(ExpertSortCall.Name, $"{kept} slots have an expert, expected at most one for each of the {rows} rows");
        }


        for (int e = 0; e < experts; e++)
        {
            start[e + 1] += start[e];
        }

        // Each start counts up to the next one's while its rows are given out, and is shifted back after the loop.
        for (long slot = 0; slot < slots; slot++)
        {
            if (expert[slot] < 0)
            {
                row[slot] = -1;
                continue;
            }

            int place = start[expert[slot]]++;
            row[slot] = place;
            token[place] = (int)(slot / k);
        }

        new Span<int>(token + kept, checked((int)(rows - kept))).Fill(-1);

        for (int e = experts; e > 0; e--)
        {
            start[e] = start[e - 1];
        }

        start[0] = 0;
    }

    public void Run(in ExpertCombineCall call)
    {
        call.Check();
        CombineWork work = Start(ExpertCombineCall.Name, call.Rows, call.Weights, call.RowOfSlot, call.Y);
        work.Accumulate = call.Accumulate;
        context.Run(call.Y.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void Run(in ExpertCombineBackwardCall call)
    {
        call.Check();
        View dRows = call.DRows;
        CombineWork work = Start(ExpertCombineBackwardCall.Name, call.Rows, call.Weights, call.RowOfSlot, call.DY);
        work.Backward = true;
        work.DRows = (byte*)dRows.Address;
        work.DRowStride = dRows.IsNone ? 0 : dRows.Layout.Stride(0);
        work.DWeights = call.DWeights.Address;
        context.Run(call.DY.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void Run(in ExpertWeightsCall call)
    {
        call.Check();
        ExpertWeights work = Start(ExpertWeightsCall.Name, call.Probabilities, call.Indices, call.Weights, call.Renormalize, call.Scale);
        context.Run(call.Probabilities.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void Run(in ExpertWeightsBackwardCall call)
    {
        call.Check();
        ExpertWeights work = Start(ExpertWeightsBackwardCall.Name, call.Probabilities, call.Indices, call.Weights, call.Renormalize, call.Scale);
        work.Backward = true;
        work.DWeights = call.DWeights.Address;
        work.DProbabilities = (byte*)call.DProbabilities.Address;
        work.DProbabilityStride = call.DProbabilities.Layout.Stride(0);
        context.Run(call.Probabilities.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    private static CombineWork Start(string op, in View rows, in View weights, in View rowOfSlot, in View tokens)
    {
        RowCheck.Indices(op, "place", rowOfSlot, rows.Layout[0], optional: true);
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

    private static ExpertWeights Start(string op, in View probabilities, in View indices, in View weights, bool renormalize, double scale)
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
            Scale = scale,
        };
    }
}
