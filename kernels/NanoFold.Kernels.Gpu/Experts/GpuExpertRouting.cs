using System.Numerics;
using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Mixture-of-experts routing on a GPU. Indices lie on the device and are not checked.</summary>
internal sealed class GpuExpertRouting(GpuContext context) : IExpertRouting
{
    private readonly ExpertSort _sort = new(context);
    private readonly GpuRouterLoss _routerLoss = new(context);

    public void Sort(in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow)
    {
        ExpertChecks.Sort("expert sort", indices, offsets, rowOfSlot, tokenOfRow);
        _sort.Run(indices, offsets, rowOfSlot, tokenOfRow);
    }

    public void Combine(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate)
    {
        const string Op = "expert combine";
        ExpertChecks.Combine(Op, rows, weights, rowOfSlot, y);
        switch (y.Type)
        {
            case DType.BFloat16:
                Combine<BF16>(rows, weights, rowOfSlot, y, accumulate);
                break;
            case DType.Float16:
                Combine<F16>(rows, weights, rowOfSlot, y, accumulate);
                break;
            default:
                GpuChecks.NotDouble(Op, y);
                Combine<F32>(rows, weights, rowOfSlot, y, accumulate);
                break;
        }
    }

    public void CombineBackward(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
    {
        const string Op = "expert combine backward";
        ExpertChecks.CombineBackward(Op, rows, weights, rowOfSlot, dy, dRows, dWeights);
        switch (dy.Type)
        {
            case DType.BFloat16:
                CombineBackward<BF16>(rows, weights, rowOfSlot, dy, dRows, dWeights);
                break;
            case DType.Float16:
                CombineBackward<F16>(rows, weights, rowOfSlot, dy, dRows, dWeights);
                break;
            default:
                GpuChecks.NotDouble(Op, dy);
                CombineBackward<F32>(rows, weights, rowOfSlot, dy, dRows, dWeights);
                break;
        }
    }

    public void Weights(in View probabilities, in View indices, in View weights, bool renormalize)
    {
        const string Op = "expert weights";
        ExpertChecks.Weights(Op, probabilities, indices, weights);
        switch (weights.Type)
        {
            case DType.BFloat16:
                Launch(WeightsWork<BF16>(probabilities, indices, weights, renormalize), indices.Layout[0]);
                break;
            case DType.Float16:
                Launch(WeightsWork<F16>(probabilities, indices, weights, renormalize), indices.Layout[0]);
                break;
            default:
                GpuChecks.NotDouble(Op, weights);
                Launch(WeightsWork<F32>(probabilities, indices, weights, renormalize), indices.Layout[0]);
                break;
        }
    }

    public void WeightsBackward(in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities, bool renormalize)
    {
        const string Op = "expert weights backward";
        ExpertChecks.WeightsBackward(Op, probabilities, indices, weights, dWeights, dProbabilities);
        switch (weights.Type)
        {
            case DType.BFloat16:
                WeightsBackward<BF16>(probabilities, indices, weights, dWeights, dProbabilities, renormalize);
                break;
            case DType.Float16:
                WeightsBackward<F16>(probabilities, indices, weights, dWeights, dProbabilities, renormalize);
                break;
            default:
                GpuChecks.NotDouble(Op, weights);
                WeightsBackward<F32>(probabilities, indices, weights, dWeights, dProbabilities, renormalize);
                break;
        }
    }

    public void RouterLoss(in View logits, in View probabilities, in View offsets, in View load, in View loss, double balance, double z)
        => _routerLoss.Forward(logits, probabilities, offsets, load, loss, balance, z);

    public void RouterLossBackward(
        in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
        => _routerLoss.Backward(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);

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
