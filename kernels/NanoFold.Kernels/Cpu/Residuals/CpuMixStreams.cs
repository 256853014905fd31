using NanoFold.Kernels.Calls.Residuals;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>Streams mixed token by token on the CPU; a token's channels go through registers four lanes at a time.</summary>
public sealed unsafe class CpuMixStreams(CpuContext context) : IKernel<MixStreamsCall>, IKernel<MixStreamsBackwardCall>
{
    public void Run(in MixStreamsCall call)
    {
        call.Check();
        int tokens = call.X.Layout[0], inputs = call.X.Layout[1], outputs = call.Y.Layout[1], width = call.X.Layout[2];
        var work = new StreamMix
        {
            A = Coefficients.Of(call.A, 3, inputs, 1), X = (byte*)call.X.Address, B = Coefficients.Of(call.B, 2, 1, 0), F = (byte*)call.F.Address, Y = (byte*)call.Y.Address,
            Inputs = inputs, Outputs = outputs, Width = width, Tokens = tokens, TokensPerItem = RowBlocks.RowsPerItem(width * Math.Max(inputs, outputs)),
        };
        context.Run(call.X.Type, RowBlocks.Items(tokens, work.TokensPerItem), ref work);
    }

    public void Run(in MixStreamsBackwardCall call)
    {
        call.Check();
        int tokens = call.X.Layout[0], inputs = call.X.Layout[1], outputs = call.DY.Layout[1], width = call.X.Layout[2];
        byte* dy = (byte*)call.DY.Address;
        var work = new StreamMixBackward
        {
            // Aᵀ dy and bᵀ dy.
            DX = new()
            {
                A = Coefficients.Of(call.A, 3, 1, inputs), X = dy, Y = (byte*)call.DX.Address, Inputs = outputs, Outputs = inputs, Width = width, Accumulate = call.AccumulateX,
            },
            DF = new() { A = Coefficients.Of(call.B, 2, 0, 1), X = dy, Y = (byte*)call.DF.Address, Inputs = outputs, Outputs = 1, Width = width, Accumulate = call.AccumulateF },
            DA = new() { DY = dy, X = (byte*)call.X.Address, Dots = (byte*)call.DA.Address, Inputs = inputs, Outputs = outputs, Width = width, Accumulate = call.AccumulateA },
            DB = new() { DY = dy, X = (byte*)call.F.Address, Dots = (byte*)call.DB.Address, Inputs = 1, Outputs = outputs, Width = width, Accumulate = call.AccumulateB },
            Tokens = tokens, TokensPerItem = RowBlocks.RowsPerItem(width * Math.Max(inputs, outputs)),
        };
        context.Run(call.X.Type, RowBlocks.Items(tokens, work.TokensPerItem), ref work);
    }
}

/// <summary>Coefficients of tokens, or those that all share: element (i, j) of a token's.</summary>
internal unsafe struct Coefficients
{
    private byte* _address;
    private long _perToken;
    private int _rowStride;
    private int _columnStride;

    /// <param name="view">What is in memory; none for none.</param>
    /// <param name="rank">Its dimensions where each token has its own.</param>
    /// <param name="rowStride">Elements from (i, j) to (i + 1, j).</param>
    /// <param name="columnStride">Elements from (i, j) to (i, j + 1).</param>
    public static Coefficients Of(in View view, int rank, int rowStride, int columnStride) => view.IsNone ? default : new()
    {
        _address = (byte*)view.Address, _perToken = view.Layout.Rank == rank ? view.Count / view.Layout[0] : 0, _rowStride = rowStride, _columnStride = columnStride,
    };

    public readonly nint At(long token, int i, int j) => (nint)((token * _perToken) + ((long)i * _rowStride) + ((long)j * _columnStride));

    public readonly void* Address => _address;
}
