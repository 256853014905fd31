using System.Numerics;
using ILGPU;
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
        switch (call.Y.Type)
        {
            case DType.BFloat16:
                Combine<BF16>(call.Rows, call.Weights, call.RowOfSlot, call.Y, call.Accumulate);
                break;
            case DType.Float16:
                Combine<F16>(call.Rows, call.Weights, call.RowOfSlot, call.Y, call.Accumulate);
                break;
            default:
                GpuChecks.NotDouble(ExpertCombineCall.Name, call.Y);
                Combine<F32>(call.Rows, call.Weights, call.RowOfSlot, call.Y, call.Accumulate);
                break;
        }
    }

    public void Run(in ExpertCombineBackwardCall call)
    {
        call.Check();
        switch (call.DY.Type)
        {
            case DType.BFloat16:
                CombineBackward<BF16>(call.Rows, call.Weights, call.RowOfSlot, call.DY, call.DRows, call.DWeights);
                break;
            case DType.Float16:
                CombineBackward<F16>(call.Rows, call.Weights, call.RowOfSlot, call.DY, call.DRows, call.DWeights);
                break;
            default:
                GpuChecks.NotDouble(ExpertCombineBackwardCall.Name, call.DY);
                CombineBackward<F32>(call.Rows, call.Weights, call.RowOfSlot, call.DY, call.DRows, call.DWeights);
                break;
        }
    }

    public void Run(in ExpertWeightsCall call)
    {
        call.Check();
        switch (call.Weights.Type)
        {
            case DType.BFloat16:
                Launch(WeightsWork<BF16>(call.Probabilities, call.Indices, call.Weights, call.Renormalize), call.Indices.Layout[0]);
                break;
            case DType.Float16:
                Launch(WeightsWork<F16>(call.Probabilities, call.Indices, call.Weights, call.Renormalize), call.Indices.Layout[0]);
                break;
            default:
                GpuChecks.NotDouble(ExpertWeightsCall.Name, call.Weights);
                Launch(WeightsWork<F32>(call.Probabilities, call.Indices, call.Weights, call.Renormalize), call.Indices.Layout[0]);
                break;
        }
    }

    public void Run(in ExpertWeightsBackwardCall call)
    {
        call.Check();
        switch (call.Weights.Type)
        {
            case DType.BFloat16:
                WeightsBackward<BF16>(call.Probabilities, call.Indices, call.Weights, call.DWeights, call.DProbabilities, call.Renormalize);
                break;
            case DType.Float16:
                WeightsBackward<F16>(call.Probabilities, call.Indices, call.Weights, call.DWeights, call.DProbabilities, call.Renormalize);
                break;
            default:
                GpuChecks.NotDouble(ExpertWeightsBackwardCall.Name, call.Weights);
                WeightsBackward<F32>(call.Probabilities, call.Indices, call.Weights, call.DWeights, call.DProbabilities, call.Renormalize);
                break;
        }
    }

    private void Combine<T>(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        if (IsWhole(rows, y, default))
        {
            Combine<T, WholePiece>(rows, weights, rowOfSlot, y, accumulate);
        }
        else
        {
            Combine<T, AnyPiece>(rows, weights, rowOfSlot, y, accumulate);
        }
    }

    private void Combine<T, TPiece>(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
        => Launch(
            new CombineWork<T, TPiece> { Rows = Rows<T>(rows, weights, rowOfSlot), Y = context.View<T>(y), YRow = y.Layout.Stride(0), Accumulate = accumulate ? 1 : 0 },
            (long)y.Layout[0] * WholePiece.Count(y.Layout[1]));

    private void CombineBackward<T>(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
        where T : unmanaged, IElement<T>
    {
        if (IsWhole(rows, dy, dRows))
        {
            CombineBackward<T, WholePiece>(rows, weights, rowOfSlot, dy, dRows, dWeights);
        }
        else
        {
            CombineBackward<T, AnyPiece>(rows, weights, rowOfSlot, dy, dRows, dWeights);
        }
    }

    private void CombineBackward<T, TPiece>(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece
        => context.Launch(
            new CombineBackwardWork<T, TPiece>
            {
                Rows = Rows<T>(rows, weights, rowOfSlot), DY = context.View<T>(dy), DRows = context.View<T>(dRows), DWeights = context.View<T>(dWeights),
                DYRow = dy.Layout.Stride(0), DRow = dRows.IsNone ? 0 : dRows.Layout.Stride(0), WantsRows = dRows.IsNone ? 0 : 1, WantsWeights = dWeights.IsNone ? 0 : 1,
            },
            rowOfSlot.Count, Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)(dy.Layout[1] + 7) / 8))));

    private ExpertRows<T> Rows<T>(in View rows, in View weights, in View rowOfSlot)
        where T : unmanaged, IElement<T>
        => new()
        {
            Rows = context.View<T>(rows), Weights = context.View<T>(weights), RowOfSlot = context.View<int>(rowOfSlot), Row = rows.Layout.Stride(0),
            Tokens = rowOfSlot.Layout[0], Slots = rowOfSlot.Layout[1], Width = rows.Layout[1], HasWeights = weights.IsNone ? 0 : 1,
        };

    private static bool IsWhole(in View rows, in View tokens, in View dRows)
        => rows.Layout[1] % 4 == 0 && WholePiece.IsAligned(rows) && WholePiece.IsAligned(tokens) && WholePiece.IsAligned(dRows);

    private ExpertWeightsWork<T> WeightsWork<T>(in View probabilities, in View indices, in View weights, bool renormalize)
        where T : unmanaged, IElement<T>
        => new()
        {
            Probabilities = context.View<T>(probabilities), Weights = context.View<T>(weights), Indices = context.View<int>(indices),
            ProbabilityRow = probabilities.Layout.Stride(0), Tokens = indices.Layout[0], Slots = indices.Layout[1], Renormalize = renormalize ? 1 : 0,
        };

    private void WeightsBackward<T>(in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities, bool renormalize)
        where T : unmanaged, IElement<T>
        => Launch(
            new ExpertWeightsBackwardWork<T>
            {
                Forward = WeightsWork<T>(probabilities, indices, weights, renormalize), DWeights = context.View<T>(dWeights), DProbabilities = context.View<T>(dProbabilities),
                DProbabilityRow = dProbabilities.Layout.Stride(0), Experts = probabilities.Layout[1],
            },
            indices.Layout[0]);

    private void Launch<TWork>(in TWork work, long threads)
        where TWork : struct, IGpuWork<TWork>
        => context.Launch(work, Groups(threads), context.GroupSize);

    private long Groups(long threads) => (threads + context.GroupSize - 1) / context.GroupSize;
}
