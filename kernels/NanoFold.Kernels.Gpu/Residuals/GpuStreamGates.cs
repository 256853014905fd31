using ILGPU;
using NanoFold.Kernels.Calls.Residuals;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>
/// The coefficients of hyper-connections on a GPU: a run of threads sums a token's squares, and then a thread makes a token's coefficients in memory in which
/// neighbors lie beside each other.
/// </summary>
internal sealed class GpuStreamGates(GpuContext context) : IKernel<StreamGatesCall>, IKernel<StreamGatesBackwardCall>
{
    public void Run(in StreamGatesCall call)
    {
        call.Check();
        ByElement.Run(StreamGatesCall.Name, call.X, new Forward(this, call));
    }

    public void Run(in StreamGatesBackwardCall call)
    {
        call.Check();
        ByElement.Run(StreamGatesBackwardCall.Name, call.X, new Backward(this, call));
    }

    private void Run<T>(in StreamGatesCall call)
        where T : unmanaged, IElement<T>
    {
        View x = call.X;
        int tokens = x.Layout[0], n = x.Layout[1], lanes = Math.Min(WarpSum.Lanes, context.GroupSize), runs = context.GroupSize / lanes;
        GateLogits<T> logits = Logits<T>(x, call.Y, call.Alpha, call.Bias, call.Statistics, call.Rounds, keeps: false);
        if (context.HasWarps)
        {
            Inverse<T, WarpSum>(x, call.Statistics, call.Epsilon, lanes, (tokens + runs - 1) / runs);
        }
        else
        {
            Inverse<T, SharedSum>(x, call.Statistics, call.Epsilon, lanes, (tokens + runs - 1) / runs);
        }

        context.LaunchThreads(
            new StreamGatesWork<T> { Logits = logits, Pre = context.View<float>(call.Pre), Post = context.View<float>(call.Post), Res = context.View<float>(call.Res) }, tokens);
    }

    private void Run<T>(in StreamGatesBackwardCall call)
        where T : unmanaged, IElement<T>
    {
        View x = call.X;
        int tokens = x.Layout[0];
        GateLogits<T> logits = Logits<T>(x, call.Y, call.Alpha, call.Bias, call.Statistics, call.Rounds, keeps: true);
        context.LaunchThreads(
            new StreamGatesBackwardWork<T>
            {
                Logits = logits, DPre = context.View<float>(call.DPre), DPost = context.View<float>(call.DPost), DRes = context.View<float>(call.DRes),
                DY = context.View<T>(call.DY), DLogits = context.View<float>(call.DLogits), Width = x.Layout[2],
                HasPre = call.DPre.IsNone ? 0 : 1, HasPost = call.DPost.IsNone ? 0 : 1, HasRes = call.DRes.IsNone ? 0 : 1, HasY = call.DY.IsNone ? 0 : 1,
                AccumulateY = call.AccumulateY ? 1 : 0,
            },
            tokens);
        if (!call.DX.IsNone)
        {
            context.LaunchThreads(
                new SlopeWork<T>
                {
                    X = context.View<T>(x), DX = context.View<T>(call.DX), Slopes = logits.Scratch.SubView(GateLogits<T>.Slopes(logits), tokens), Count = x.Count,
                    Row = x.Layout[1] * x.Layout[2], Accumulate = call.AccumulateX ? 1 : 0,
                },
                x.Count);
        }
    }

    private GateLogits<T> Logits<T>(in View x, in View y, in View alpha, in View bias, in View statistics, int rounds, bool keeps)
        where T : unmanaged, IElement<T>
    {
        int tokens = x.Layout[0], n = x.Layout[1];
        // Logits; the factors of all rounds, or of one; their gradients, the gradients of the logits, and a slope.
        long floats = (long)tokens * ((n * (n + 2)) + (2 * n * (keeps ? rounds : 1)) + (keeps ? (2 * n) + (n * (n + 2)) + 1 : 0));
        return new()
        {
            Y = context.View<T>(y), Alpha = context.View<T>(alpha), Bias = context.View<T>(bias), Statistics = context.View<float>(statistics),
            Scratch = context.Scratch(floats * sizeof(float)).Cast<float>(), Tokens = tokens, Streams = n, Rounds = rounds, Keeps = keeps ? 1 : 0,
        };
    }

    private void Inverse<T, TSum>(in View x, in View statistics, double epsilon, int lanes, int groups)
        where T : unmanaged, IElement<T>
        where TSum : struct, ILaneSum
        => context.Launch(
            new StreamInverseWork<T, TSum>
            {
                X = context.View<T>(x), Statistics = context.View<float>(statistics), Tokens = x.Layout[0], Row = x.Layout[1] * x.Layout[2], Lanes = lanes, Epsilon = (float)epsilon,
            },
            groups, context.GroupSize);

    private readonly struct Forward(GpuStreamGates kernel, StreamGatesCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Backward(GpuStreamGates kernel, StreamGatesBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }
}
