using NanoFold.Kernels.Calls.Residuals;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>The coefficients of hyper-connections on the CPU: a lane has as many tokens as it has elements.</summary>
public sealed unsafe class CpuStreamGates(CpuContext context) : IKernel<StreamGatesCall>, IKernel<StreamGatesBackwardCall>
{
    private const int TokensPerItem = 64;

    public void Run(in StreamGatesCall call)
    {
        call.Check();
        var work = new StreamGates
        {
            Context = context, X = (byte*)call.X.Address, Y = (byte*)call.Y.Address, Alpha = call.Alpha.Address, Bias = call.Bias.Address,
            Statistics = call.Statistics.Address, Pre = (byte*)call.Pre.Address, Post = (byte*)call.Post.Address, Res = (byte*)call.Res.Address,
            Tokens = call.X.Layout[0], TokensPerItem = TokensPerItem, Streams = call.X.Layout[1], Width = call.X.Layout[2], Rounds = call.Rounds, Epsilon = call.Epsilon,
        };
        context.Run(call.X.Type, (work.Tokens + TokensPerItem - 1) / TokensPerItem, ref work);
    }

    public void Run(in StreamGatesBackwardCall call)
    {
        call.Check();
        var work = new StreamGatesBackward
        {
            Context = context, X = (byte*)call.X.Address, Y = (byte*)call.Y.Address, Alpha = call.Alpha.Address, Bias = call.Bias.Address, Statistics = call.Statistics.Address,
            DPre = (byte*)call.DPre.Address, DPost = (byte*)call.DPost.Address, DRes = (byte*)call.DRes.Address,
            DX = (byte*)call.DX.Address, AccumulateX = call.AccumulateX, DY = (byte*)call.DY.Address, AccumulateY = call.AccumulateY, DLogits = (byte*)call.DLogits.Address,
            Tokens = call.X.Layout[0], TokensPerItem = TokensPerItem, Streams = call.X.Layout[1], Width = call.X.Layout[2], Rounds = call.Rounds,
        };
        context.Run(call.X.Type, (work.Tokens + TokensPerItem - 1) / TokensPerItem, ref work);
    }
}
