using System.Numerics;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Mixture-of-experts routing on a GPU. Indices lie on the device and are not checked.</summary>
internal sealed class GpuExpertRouting(GpuContext context) :
    IKernel<ExpertSortCall>, IKernel<ExpertCombineCall>, IKernel<ExpertCombineBackwardCall>, IKernel<ExpertWeightsCall>, IKernel<ExpertWeightsBackwardCall>
{
    private readonly ExpertSort _sort = new(context);

    public void Run(in ExpertSortCall call)
    {
        call.Check();
        _sort.Run(call.Indices, call.Offsets, call.RowOfSlot, call.TokenOfRow);
    }

    public void Run(in ExpertCombineCall call)
    {
        call.Check();
        ByPiece.Run(ExpertCombineCall.Name, call.Y, IsWhole(call.Rows, call.Y, default), new CombineBody(context, call));
    }

    public void Run(in ExpertCombineBackwardCall call)
    {
        call.Check();
        ByPiece.Run(ExpertCombineBackwardCall.Name, call.DY, IsWhole(call.Rows, call.DY, call.DRows), new CombineBackwardBody(context, call));
    }

    public void Run(in ExpertWeightsCall call)
    {
        call.Check();
        ByElement.Run(ExpertWeightsCall.Name, call.Weights, new WeightsBody(context, call));
    }

    public void Run(in ExpertWeightsBackwardCall call)
    {
        call.Check();
        ByElement.Run(ExpertWeightsBackwardCall.Name, call.Weights, new WeightsBackwardBody(context, call));
    }

    private static bool IsWhole(in View rows, in View tokens, in View dRows)
        => rows.Layout[1] % 4 == 0 && AlignedPiece.IsAligned(rows) && AlignedPiece.IsAligned(tokens) && AlignedPiece.IsAligned(dRows);

    private static ExpertRows<T> Rows<T>(GpuContext context, in View rows, in View weights, in View rowOfSlot)
        where T : unmanaged, IElement<T>
        => new()
        {
            Rows = context.View<T>(rows), Weights = context.View<T>(weights), RowOfSlot = context.View<int>(rowOfSlot), Row = rows.Layout.Stride(0),
            Tokens = rowOfSlot.Layout[0], Slots = rowOfSlot.Layout[1], Width = rows.Layout[1], HasWeights = weights.IsNone ? 0 : 1,
        };

    private static ExpertWeightsWork<T> WeightsWork<T>(GpuContext context, in View probabilities, in View indices, in View weights, bool renormalize, double scale)
        where T : unmanaged, IElement<T>
        => new()
        {
            Probabilities = context.View<T>(probabilities), Weights = context.View<T>(weights), Indices = context.View<int>(indices),
            ProbabilityRow = probabilities.Layout.Stride(0), Tokens = indices.Layout[0], Slots = indices.Layout[1], Renormalize = renormalize ? 1 : 0, Scale = (float)scale,
        };

    private readonly struct CombineBody(GpuContext context, ExpertCombineCall call) : IPieceBody
    {
        public void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
            => context.LaunchThreads(
                new CombineWork<T, TPiece>
                {
                    Rows = Rows<T>(context, call.Rows, call.Weights, call.RowOfSlot), Y = context.View<T>(call.Y), YRow = call.Y.Layout.Stride(0),
                    Accumulate = call.Accumulate ? 1 : 0,
                },
                (long)call.Y.Layout[0] * AlignedPiece.Count(call.Y.Layout[1]));
    }

    private readonly struct CombineBackwardBody(GpuContext context, ExpertCombineBackwardCall call) : IPieceBody
    {
        public void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
        {
            View dy = call.DY, dRows = call.DRows, dWeights = call.DWeights;
            context.Launch(
                new CombineBackwardWork<T, TPiece>
                {
                    Rows = Rows<T>(context, call.Rows, call.Weights, call.RowOfSlot), DY = context.View<T>(dy), DRows = context.View<T>(dRows),
                    DWeights = context.View<T>(dWeights), DYRow = dy.Layout.Stride(0), DRow = dRows.IsNone ? 0 : dRows.Layout.Stride(0),
                    WantsRows = dRows.IsNone ? 0 : 1, WantsWeights = dWeights.IsNone ? 0 : 1,
                },
                call.RowOfSlot.Count, Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)(dy.Layout[1] + 7) / 8))));
        }
    }

    private readonly struct WeightsBody(GpuContext context, ExpertWeightsCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(WeightsWork<T>(context, call.Probabilities, call.Indices, call.Weights, call.Renormalize, call.Scale), call.Indices.Layout[0]);
    }

    private readonly struct WeightsBackwardBody(GpuContext context, ExpertWeightsBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new ExpertWeightsBackwardWork<T>
                {
                    Forward = WeightsWork<T>(context, call.Probabilities, call.Indices, call.Weights, call.Renormalize, call.Scale), DWeights = context.View<T>(call.DWeights),
                    DProbabilities = context.View<T>(call.DProbabilities), DProbabilityRow = call.DProbabilities.Layout.Stride(0), Experts = call.Probabilities.Layout[1],
                },
                call.Indices.Layout[0]);
    }
}
