using NanoFold.Kernels.Calls.Residuals;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>Streams mixed token by token on a GPU: a thread has one channel of a token in all results, and a run of threads one product of two rows.</summary>
internal sealed class GpuMixStreams(GpuContext context) : IKernel<MixStreamsCall>, IKernel<MixStreamsBackwardCall>
{
    public void Run(in MixStreamsCall call)
    {
        call.Check();
        int inputs = call.X.Layout[1];
        ByElement.Run(
            MixStreamsCall.Name, call.X, call.A,
            new MixBody(context, call.X, call.Y, call.F, MixCoefficients.Of(call.A, 3, inputs, 1), MixCoefficients.Of(call.B, 2, 1, 0), call.Y.Layout[1], inputs, accumulate: false));
    }

    public void Run(in MixStreamsBackwardCall call)
    {
        call.Check();
        int inputs = call.X.Layout[1], outputs = call.DY.Layout[1];
        if (!call.DX.IsNone)
        {
            // Aᵀ dy.
            ByElement.Run(
                MixStreamsBackwardCall.Name, call.X, call.A,
                new MixBody(context, call.DY, call.DX, default, MixCoefficients.Of(call.A, 3, 1, inputs), default, inputs, outputs, call.AccumulateX));
        }

        if (!call.DF.IsNone)
        {
            // bᵀ dy.
            ByElement.Run(
                MixStreamsBackwardCall.Name, call.X, call.B,
                new MixBody(context, call.DY, call.DF, default, MixCoefficients.Of(call.B, 2, 0, 1), default, 1, outputs, call.AccumulateF));
        }

        if (!call.DA.IsNone)
        {
            ByElement.Run(MixStreamsBackwardCall.Name, call.X, call.A, new DotBody(context, call.DY, outputs, call.X, inputs, call.DA, call.AccumulateA));
        }

        if (!call.DB.IsNone)
        {
            ByElement.Run(MixStreamsBackwardCall.Name, call.X, call.B, new DotBody(context, call.DY, outputs, call.F, 1, call.DB, call.AccumulateB));
        }
    }

    private readonly ref struct MixBody(
        GpuContext context, View x, View y, View f, MixCoefficients a, MixCoefficients b, int outputs, int inputs, bool accumulate) : IElementPairBody
    {
        private readonly MixCoefficients _a = a, _b = b;
        private readonly View _x = x, _y = y, _f = f;

        public void Run<T, TCoefficient>()
            where T : unmanaged, IElement<T>
            where TCoefficient : unmanaged, IElement<TCoefficient>
        {
            int width = _x.Layout[-1], tokens = checked((int)(_x.Count / width / inputs));
            context.LaunchThreads(
                new MixWork<T, TCoefficient>
                {
                    X = context.View<T>(_x), Y = context.View<T>(_y), F = context.View<T>(_f), A = context.View<TCoefficient>(_a.View), B = context.View<TCoefficient>(_b.View),
                    ARow = _a.RowStride, AColumn = _a.ColumnStride, AToken = _a.PerToken, BRow = _b.RowStride, BToken = _b.PerToken,
                    Tokens = tokens, Inputs = inputs, Outputs = outputs, Width = width, HasF = _f.IsNone ? 0 : 1, Accumulate = accumulate ? 1 : 0,
                },
                (long)tokens * width);
        }
    }

    private readonly ref struct DotBody(GpuContext context, View dy, int outputs, View x, int inputs, View dots, bool accumulate) : IElementPairBody
    {
        private readonly View _dy = dy, _x = x, _dots = dots;

        public void Run<T, TCoefficient>()
            where T : unmanaged, IElement<T>
            where TCoefficient : unmanaged, IElement<TCoefficient>
        {
            if (context.HasWarps)
            {
                Launch<T, WarpSum, TCoefficient>();
            }
            else
            {
                Launch<T, SharedSum, TCoefficient>();
            }
        }

        private void Launch<T, TSum, TCoefficient>()
            where T : unmanaged, IElement<T>
            where TSum : struct, ILaneSum
            where TCoefficient : unmanaged, IElement<TCoefficient>
        {
            int lanes = Math.Min(WarpSum.Lanes, context.GroupSize), runs = context.GroupSize / lanes;
            context.Launch(
                new MixDotWork<T, TSum, TCoefficient>
                {
                    DY = context.View<T>(_dy), X = context.View<T>(_x), Dots = context.View<TCoefficient>(_dots),
                    Count = checked((int)_dots.Count), Inputs = inputs, Outputs = outputs, Width = _dy.Layout[-1], Lanes = lanes, Accumulate = accumulate ? 1 : 0,
                },
                (_dots.Count + runs - 1) / runs, context.GroupSize);
        }
    }
}

/// <summary>Coefficients of tokens, or those that all share, and how far apart they lie.</summary>
internal readonly record struct MixCoefficients(View View, int PerToken, int RowStride, int ColumnStride)
{
    /// <param name="view">Where they lie; none for none.</param>
    /// <param name="rank">Its dimensions where each token has its own.</param>
    /// <param name="rowStride">From (i, j) to (i + 1, j).</param>
    /// <param name="columnStride">From (i, j) to (i, j + 1).</param>
    public static MixCoefficients Of(in View view, int rank, int rowStride, int columnStride) => new(
        view, !view.IsNone && view.Layout.Rank == rank ? checked((int)(view.Count / view.Layout[0])) : 0, rowStride, columnStride);
}
