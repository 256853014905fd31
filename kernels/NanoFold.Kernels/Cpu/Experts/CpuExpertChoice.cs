using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Experts;

/// <summary>Which experts a token is sent to, what they take, and the bias that balances them, on the CPU.</summary>
public sealed unsafe class CpuExpertChoice(CpuContext context) :
    IKernel<ExpertChoiceCall>, IKernel<ExpertCapacityCall>, IKernel<ExpertTallyCall>, IKernel<ExpertBiasCall>
{
    public void Run(in ExpertChoiceCall call)
    {
        call.Check();
        int experts = call.Scores.Layout[1];
        var work = new ChoiceWork
        {
            Scores = (byte*)call.Scores.Address,
            ScoreStride = call.Scores.Layout.Stride(0),
            Bias = call.Bias.IsNone ? null : call.Bias.Address,
            Indices = call.Indices.Ints,
            Tokens = call.Indices.Layout[0],
            TokensPerItem = RowBlocks.RowsPerItem(experts),
            Slots = call.Indices.Layout[1],
            Experts = experts,
            Groups = call.Groups,
            ActiveGroups = call.ActiveGroups,
        };
        context.Run(call.Scores.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void Run(in ExpertCapacityCall call)
    {
        call.Check();
        int experts = checked((int)(call.Routed.Count - 1));
        RowCheck.Indices(ExpertCapacityCall.Name, "expert", call.Indices, experts, optional: false);
        int* expert = call.Indices.Ints, kept = call.Kept.Ints, routed = call.Routed.Ints, taken = stackalloc int[experts];
        new Span<int>(routed, experts + 1).Clear();
        long slots = call.Indices.Count / call.Sequences;
        for (int sequence = 0; sequence < call.Sequences; sequence++, expert += slots, kept += slots)
        {
            new Span<int>(taken, experts).Clear();
            for (long slot = 0; slot < slots; slot++)
            {
                int e = expert[slot];
                routed[e + 1]++;
                kept[slot] = taken[e]++ < call.Capacity ? e : -1;
            }
        }

        for (int e = 0; e < experts; e++)
        {
            routed[e + 1] += routed[e];
        }
    }

    public void Run(in ExpertTallyCall call)
    {
        call.Check();
        int experts = checked((int)(call.Routed.Count - 1));
        int* routed = call.Routed.Ints, counts = call.Counts.Ints;
        for (int e = 0; e < experts; e++)
        {
            counts[e] += routed[e + 1] - routed[e];
        }

        counts[experts] += routed[experts] - call.Kept.Ints[experts];
    }

    public void Run(in ExpertBiasCall call)
    {
        call.Check();
        if (call.State.GetDouble(StepSlot.GradientScale) == 0)
        {
            return;
        }

        View bias = call.Bias;
        int experts = checked((int)bias.Count);
        int* counts = call.Counts.Ints;
        long sum = 0;
        for (int e = 0; e < experts; e++)
        {
            sum += counts[e];
        }

        for (int e = 0; e < experts; e++)
        {
            double step = call.Rate * Math.Sign(sum - (long)experts * counts[e]);
            if (bias.Type == DType.Float64)
            {
                ((double*)bias.Address)[e] += step;
            }
            else
            {
                bias.Floats[e] += (float)step;
            }
        }
    }
}
