using NanoFold.Kernels.Calls.Residuals;
using NanoFold.Kernels.Cpu.Loops;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>Streams mixed token by token on the CPU; a token's channels go through registers four lanes at a time.</summary>
public sealed unsafe class CpuMixStreams(CpuContext context) : IKernel<MixStreamsCall>, IKernel<MixStreamsBackwardCall>
{
    public void Run(in MixStreamsCall call)
    {
        call.Check();
        int inputs = call.X.Layout[1], outputs = call.Y.Layout[1];
        Mix(new StreamMix
        {
            A = Coefficients.Of(call.A, 3, inputs, 1), X = (byte*)call.X.Address, Inputs = inputs,
            B = Coefficients.Of(call.B, 2, 1, 0), F = (byte*)call.F.Address, Y = (byte*)call.Y.Address, Outputs = outputs,
        }, call.X);
    }

    public void Run(in MixStreamsBackwardCall call)
    {
        call.Check();
        int inputs = call.X.Layout[1], outputs = call.DY.Layout[1];
        if (!call.DX.IsNone)
        {
            // Aᵀ dy.
            Mix(new StreamMix
            {
                A = Coefficients.Of(call.A, 3, 1, inputs), X = (byte*)call.DY.Address, Inputs = outputs,
                Y = (byte*)call.DX.Address, Outputs = inputs, Accumulate = call.AccumulateX,
            }, call.X);
        }

        if (!call.DF.IsNone)
        {
            // bᵀ dy.
            Mix(new StreamMix
            {
                A = Coefficients.Of(call.B, 2, 0, 1), X = (byte*)call.DY.Address, Inputs = outputs, Y = (byte*)call.DF.Address, Outputs = 1, Accumulate = call.AccumulateF,
            }, call.X);
        }

        if (!call.DA.IsNone)
        {
            Dot(new StreamDots { DY = (byte*)call.DY.Address, Outputs = outputs, X = (byte*)call.X.Address, Inputs = inputs, Dots = (byte*)call.DA.Address, Accumulate = call.AccumulateA }, call.X);
        }

        if (!call.DB.IsNone)
        {
            Dot(new StreamDots { DY = (byte*)call.DY.Address, Outputs = outputs, X = (byte*)call.F.Address, Inputs = 1, Dots = (byte*)call.DB.Address, Accumulate = call.AccumulateB }, call.X);
        }
    }

    private void Mix(StreamMix work, in View x)
    {
        work.Width = x.Layout[2];
        work.Tokens = x.Layout[0];
        work.TokensPerItem = RowBlocks.RowsPerItem(work.Width * Math.Max(work.Inputs, work.Outputs));
        context.Run(x.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
    }

    private void Dot(StreamDots work, in View x)
    {
        work.Width = x.Layout[2];
        work.Tokens = x.Layout[0];
        work.TokensPerItem = RowBlocks.RowsPerItem(work.Width * Math.Max(work.Inputs, work.Outputs));
        context.Run(x.Type, RowBlocks.Items(work.Tokens, work.TokensPerItem), ref work);
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
