using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Rope;

/// <summary>
/// Rotary position embedding on the CPU. y may be x. A token whose position lies after the table turns by the table's last row:
/// such tokens only pad a chunk of decoding, and a cache drops them.
/// </summary>
public sealed unsafe class CpuRope(CpuContext context) : IKernel<RopeCall>
{
    public void Run(in RopeCall call)
    {
        call.Check();
        CheckPositions(call.Positions);
        RopeWork work = Work(call);
        context.Run(call.X.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    public PreparedCall? Prepare(in RopeCall call)
    {
        call.Check();
        View positions = call.Positions;
        RopeWork work = Work(call);
        return CpuContext.Supports(call.X.Type)
            ? context.Prepare(call.X.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), work, check: () => CheckPositions(positions))
            : null;
    }

    private static void CheckPositions(in View positions)
    {
        if (!positions.IsNone)
        {
            RowCheck.Indices(RopeCall.Name, "positions", positions, int.MaxValue, optional: false);
        }
    }

    private RopeWork Work(in RopeCall call)
    {
        View x = call.X, y = call.Y, table = call.Table, positions = call.Positions;
        int batch = x.Layout[0], time = x.Layout[1], headDim = x.Layout[3];
        return new RopeWork
        {
            X = (byte*)x.Address,
            Y = (byte*)y.Address,
            Table = (byte*)table.Address,
            Positions = positions.Ints,
            XBatch = x.Layout.Stride(0),
            XTime = x.Layout.Stride(1),
            XHead = x.Layout.Stride(2),
            YBatch = y.Layout.Stride(0),
            YTime = y.Layout.Stride(1),
            YHead = y.Layout.Stride(2),
            TableStride = table.Layout.Stride(0),
            LastPosition = table.Layout[0] - 1,
            Tokens = (long)batch * time,
            TokensPerItem = RowBlocks.RowsPerItem(checked(x.Layout[2] * headDim)),
            Time = time,
            Heads = x.Layout[2],
            HeadDim = headDim,
            Interleaved = call.Interleaved,
            Inverse = call.Inverse,
            Accumulate = call.Accumulate,
            Context = context,
        };
    }
}
