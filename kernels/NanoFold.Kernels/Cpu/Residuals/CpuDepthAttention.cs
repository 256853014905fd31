using NanoFold.Kernels.Calls.Residuals;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Norm;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>Attention over depth on the CPU: a token's values stay in the nearest cache between the two passes over them.</summary>
public sealed unsafe class CpuDepthAttention(CpuContext context) : IKernel<DepthAttentionCall>, IKernel<DepthAttentionBackwardCall>
{
    private const int MostPartials = 64;

    public void Run(in DepthAttentionCall call)
    {
        call.Check();
        int width = call.Y.Layout[1];
        var work = new DepthAttention
        {
            Context = context, Values = call.Values, Query = call.Query.Address, Gain = call.Gain.Address, Weights = (byte*)call.Weights.Address, Y = (byte*)call.Y.Address,
            Tokens = call.Y.Layout[0], TokensPerItem = RowBlocks.RowsPerItem(width), Width = width, Epsilon = call.Epsilon,
        };
        context.Run(call.Y.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public void Run(in DepthAttentionBackwardCall call)
    {
        call.Check();
        int width = call.DY.Layout[1];
        if (call.HasSums)
        {
            RowCheck.Scratch(DepthAttentionBackwardCall.Name, call.Scratch, ScratchBytes(call));
        }

        int size = call.DY.Type.Size();
        byte* partials = call.HasSums ? (byte*)call.Scratch.Address : null;
        var work = new DepthAttentionBackward
        {
            Context = context, Values = call.Values, DValues = call.DValues, Accumulate = call.Accumulate, Query = call.Query.Address, Gain = call.Gain.Address,
            Weights = (byte*)call.Weights.Address, DY = (byte*)call.DY.Address, Partials = partials,
            Tokens = call.DY.Layout[0], TokensPerItem = TokensPerItem(call.DY), Width = width, Epsilon = call.Epsilon,
        };
        long items = RowBlocks.Items(work.Tokens, work.TokensPerItem);
        context.Run(call.DY.Type, items, ref work);
        if (call.HasSums)
        {
            // The sums over items of dw ⊙ gain and dw ⊙ query.
            var sum = new PartialSums { Partials = partials, Count = items, Width = width, First = call.DQuery.Address, Second = call.DGain.Address };
            context.Run(call.DY.Type, PartialSums.Items(width), ref sum);
        }
    }

    public long ScratchBytes(in DepthAttentionBackwardCall shape)
        => shape.HasSums ? RowBlocks.Items(shape.DY.Layout[0], TokensPerItem(shape.DY)) * 2 * shape.DY.Layout[1] * shape.DY.Type.Size() : 0;

    private static long TokensPerItem(in View y) => RowBlocks.RowsPerItem(y.Layout[0], y.Layout[1], MostPartials);
}
