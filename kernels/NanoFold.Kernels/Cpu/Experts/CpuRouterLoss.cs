using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Experts;

/// <summary>
/// Switch's balance loss (arXiv 2101.03961) and the z-loss of ST-MoE (arXiv 2202.08906). f_e is the share of (token, slot) pairs that went to e,
/// so it sums to 1 and the balance term is 1 where all experts are used alike. Since Σ_e f_e P_e = mean_n ⟨f, p_n⟩, one pass over the rows is enough.
/// </summary>
public sealed unsafe class CpuRouterLoss(CpuContext context) : IKernel<RouterLossCall>, IKernel<RouterLossBackwardCall>
{
    private const int MostItems = 1024;

    // Pinned once: two sums per item.
    private readonly double[] _partials = GC.AllocateArray<double>(2 * MostItems, pinned: true);

    public void Run(in RouterLossCall call)
    {
        call.Check();
        View logits = call.Logits;
        WriteLoad(RouterLossCall.Name, call.Offsets, call.Load, logits.Layout[1]);
        long rows = logits.Layout[0];
        fixed (double* partials = _partials)
        {
            RouterLossWork work = Start(logits, call.Probabilities, call.Load, call.Balance, call.Z);
            work.Partials = partials;
            long items = RowBlocks.Items(rows, work.RowsPerItem);
            context.Run(logits.Type, items, ref work);
            double balance = 0, z = 0;
            for (int i = 0; i < items; i++)
            {
                balance += partials[2 * i];
                z += partials[2 * i + 1];
            }

            double divisor = (double)rows * MicroBatches(RouterLossCall.Name, call.State);
            Element.Set(call.Loss, (balance + z) / divisor);
            call.State.Increase(call.BalanceTerm, balance / divisor);
            call.State.Increase(call.ZTerm, z / divisor);
        }
    }

    public void Run(in RouterLossBackwardCall call)
    {
        call.Check();
        RouterLossWork work = Start(call.Logits, call.Probabilities, call.Load, call.Balance, call.Z);
        work.DLogits = (byte*)call.DLogits.Address;
        work.DLogitStride = call.DLogits.Layout.Stride(0);
        work.Scale = Element.Get(call.DLoss) * call.State.GetDouble(StepSlot.LossScale) / work.Rows / MicroBatches(RouterLossBackwardCall.Name, call.State);
        work.Accumulate = call.Accumulate;
        context.Run(call.Logits.Type, RowBlocks.Items(work.Rows, work.RowsPerItem), ref work);
    }

    private static RouterLossWork Start(in View logits, in View probabilities, in View load, double balance, double z) => new()
    {
        Logits = (byte*)logits.Address,
        LogitStride = logits.Layout.Stride(0),
        Probabilities = (byte*)probabilities.Address,
        ProbabilityStride = probabilities.Layout.Stride(0),
        Load = load.Address,
        Rows = logits.Layout[0],
        RowsPerItem = RowBlocks.RowsPerItem(logits.Layout[0], logits.Layout[1], MostItems),
        Experts = logits.Layout[1],
        Balance = balance * logits.Layout[1],
        Z = z,
    };

    private static void WriteLoad(string op, in View offsets, in View load, int experts)
    {
        int* start = offsets.Ints;
        int slots = start[experts];
        if (start[0] != 0 || slots < 1)
        {
            Checks.Throw(op, $"offsets go from {start[0]} to {slots}, expected 0 to the number of slots");
        }

        for (int e = 0; e < experts; e++)
        {
            double share = (start[e + 1] - (double)start[e]) / slots;
            if (load.Type == DType.Float64)
            {
                ((double*)load.Address)[e] = share;
            }
            else
            {
                load.Floats[e] = (float)share;
            }
        }
    }

    private static long MicroBatches(string op, StepState state)
    {
        long count = state.GetInteger(StepSlot.MicroBatchCount);
        return count > 0
            ? count
            : throw new InvalidOperationException($"{op}: {nameof(StepSlot.MicroBatchCount)} is {count}; set it to the number of micro-batches of the step");
    }
}
