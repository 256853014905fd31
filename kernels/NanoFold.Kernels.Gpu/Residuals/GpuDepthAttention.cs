using ILGPU;
using NanoFold.Kernels.Calls.Residuals;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>Attention over depth on a GPU, in launches of one value each: their number is not known when a kernel is compiled.</summary>
internal sealed class GpuDepthAttention(GpuContext context) : IKernel<DepthAttentionCall>, IKernel<DepthAttentionBackwardCall>
{
    private const int TokensPerGroup = 32;

    private int Lanes => Math.Min(WarpSum.Lanes, context.GroupSize);

    public void Run(in DepthAttentionCall call)
    {
        call.Check();
        ByElement.Run(DepthAttentionCall.Name, call.Y, new Forward(this, call));
    }

    public void Run(in DepthAttentionBackwardCall call)
    {
        call.Check();
        ByElement.Run(DepthAttentionBackwardCall.Name, call.DY, new Backward(this, call));
    }

    private void Run<T>(in DepthAttentionCall call)
        where T : unmanaged, IElement<T>
    {
        View y = call.Y;
        int tokens = y.Layout[0], width = y.Layout[1], count = call.Values.Length;
        ArrayView<float> weights = context.View<float>(call.Weights);
        for (int i = 0; i < count; i++)
        {
            Score<T>(
                new DepthScoreOperands<T>
                {
                    Value = context.View<T>(call.Values.Span[i]), Query = context.View<T>(call.Query), Gain = context.View<T>(call.Gain), DY = context.View<T>(y),
                    Products = weights.SubView(i, weights.Length - i), Tokens = tokens, Width = width, Stride = count, Lanes = Lanes, Epsilon = (float)call.Epsilon,
                });
        }

        context.LaunchThreads(new DepthSoftmaxWork { Weights = weights, Tokens = tokens, Count = count }, tokens);
        for (int i = 0; i < count; i++)
        {
            context.LaunchThreads(
                new DepthSumWork<T>
                {
                    Value = context.View<T>(call.Values.Span[i]), Y = context.View<T>(y), Weights = weights.SubView(i, weights.Length - i), Count = y.Count, Width = width,
                    Stride = count, Accumulate = i > 0 ? 1 : 0,
                },
                y.Count);
        }
    }

    private void Run<T>(in DepthAttentionBackwardCall call)
        where T : unmanaged, IElement<T>
    {
        View dy = call.DY;
        int tokens = dy.Layout[0], width = dy.Layout[1], count = call.Values.Length, groups = (tokens + TokensPerGroup - 1) / TokensPerGroup;
        // Of each token and value ⟨w, v⟩, rsqrt and ⟨dy, v⟩, which become its factors; of each group of tokens its sum of dw.
        long products = 3L * tokens * count;
        ArrayView<float> scratch = context.Scratch((products + ((long)groups * width)) * sizeof(float)).Cast<float>();
        ArrayView<float> factors = scratch.SubView(0, products), partials = scratch.SubView(products, (long)groups * width);
        for (int i = 0; i < count; i++)
        {
            Score<T>(
                new DepthScoreOperands<T>
                {
                    Value = context.View<T>(call.Values.Span[i]), Query = context.View<T>(call.Query), Gain = context.View<T>(call.Gain), DY = context.View<T>(dy),
                    Products = factors.SubView(3L * i, products - (3L * i)), Tokens = tokens, Width = width, Stride = 3 * count, Lanes = Lanes, IsBackward = 1,
                    Epsilon = (float)call.Epsilon,
                });
        }

        context.LaunchThreads(new DepthFactorWork { Weights = context.View<float>(call.Weights), Factors = factors, Tokens = tokens, Count = count, Width = width }, tokens);
        for (int i = 0; i < count; i++)
        {
            View gradient = call.DValues.Span[i];
            context.Launch(
                new DepthGradientWork<T>
                {
                    Value = context.View<T>(call.Values.Span[i]), Query = context.View<T>(call.Query), Gain = context.View<T>(call.Gain), DY = context.View<T>(dy),
                    DValue = context.View<T>(gradient), Factors = factors.SubView(3L * i, products - (3L * i)), Partials = partials, Tokens = tokens, Width = width,
                    Stride = 3 * count, PerGroup = TokensPerGroup, IsFirst = i == 0 ? 1 : 0, HasGradient = gradient.IsNone ? 0 : 1, Accumulate = call.Accumulate.Span[i] ? 1 : 0,
                },
                context.Groups(width), groups, 1, context.GroupSize);
        }

        if (call.HasSums)
        {
            context.LaunchThreads(
                new DepthParameterWork<T>
                {
                    Query = context.View<T>(call.Query), Gain = context.View<T>(call.Gain), DQuery = context.View<float>(call.DQuery), DGain = context.View<float>(call.DGain),
                    Partials = partials, Groups = groups, Width = width, HasQuery = call.DQuery.IsNone ? 0 : 1, HasGain = call.DGain.IsNone ? 0 : 1,
                },
                width);
        }
    }

    private void Score<T>(in DepthScoreOperands<T> operands)
        where T : unmanaged, IElement<T>
    {
        int runs = context.GroupSize / operands.Lanes, groups = (operands.Tokens + runs - 1) / runs;
        if (context.HasWarps)
        {
            context.Launch(new DepthScoreWork<T, WarpSum> { Operands = operands }, groups, context.GroupSize);
        }
        else
        {
            context.Launch(new DepthScoreWork<T, SharedSum> { Operands = operands }, groups, context.GroupSize);
        }
    }

    private readonly struct Forward(GpuDepthAttention kernel, DepthAttentionCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Backward(GpuDepthAttention kernel, DepthAttentionBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }
}
