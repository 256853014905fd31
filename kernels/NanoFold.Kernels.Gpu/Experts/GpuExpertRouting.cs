using System.Numerics;
using ILGPU;
using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Rows;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>
/// Mixture-of-experts routing on a GPU. Indices lie on the device and are not checked; the micro-batches of the step are read there too, and where their
/// number was not set the loss is not finite.
/// </summary>
internal sealed class GpuExpertRouting(GpuContext context) : IExpertRouting
{
    private readonly ExpertSort _sort = new(context);

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
    {
        const string Op = "router loss";
        ExpertChecks.RouterLoss(Op, logits, probabilities, offsets, load, loss);
        int groups = (int)Groups(logits.Layout[0]);
        ArrayView<double> partial = context.Scratch(groups * sizeof(double)).Cast<double>();
        switch (logits.Type)
        {
            case DType.BFloat16:
                Launch(new RouterLossWork<BF16> { Row = Row<BF16>(logits, probabilities, balance, z), Offsets = context.View<int>(offsets), Partial = partial }, logits.Layout[0]);
                break;
            case DType.Float16:
                Launch(new RouterLossWork<F16> { Row = Row<F16>(logits, probabilities, balance, z), Offsets = context.View<int>(offsets), Partial = partial }, logits.Layout[0]);
                break;
            default:
                GpuChecks.NotDouble(Op, logits);
                Launch(new RouterLossWork<F32> { Row = Row<F32>(logits, probabilities, balance, z), Offsets = context.View<int>(offsets), Partial = partial }, logits.Layout[0]);
                break;
        }

        context.Launch(
            new RouterLoadWork
            {
                Offsets = context.View<int>(offsets), Partial = partial, Load = context.View<float>(load), Loss = context.View<float>(loss), State = context.StateView,
                Partials = groups, Rows = logits.Layout[0], Experts = logits.Layout[1],
            },
            1, context.GroupSize);
    }

    public void RouterLossBackward(
        in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
    {
        const string Op = "router loss backward";
        ExpertChecks.RouterLossBackward(Op, logits, probabilities, load, dLoss, dLogits);
        switch (logits.Type)
        {
            case DType.BFloat16:
                RouterLossBackward<BF16>(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);
                break;
            case DType.Float16:
                RouterLossBackward<F16>(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);
                break;
            default:
                GpuChecks.NotDouble(Op, logits);
                RouterLossBackward<F32>(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);
                break;
        }
    }

    private void Combine<T>(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        if (AreWhole(rows, y, default))
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
    {
        ExpertRows<T> operands = Rows<T>(rows, weights, rowOfSlot, y);
        Launch(
            new CombineWork<T, TPiece> { Rows = operands, Y = context.View<T>(y), YRow = y.Layout.Stride(0), Accumulate = accumulate ? 1 : 0 },
            (long)operands.Tokens * WholePiece.Count(operands.Width));
    }

    private void CombineBackward<T>(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
        where T : unmanaged, IElement<T>
    {
        if (AreWhole(rows, dy, dRows))
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
    {
        ExpertRows<T> operands = Rows<T>(rows, weights, rowOfSlot, dy);
        int threads = Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)(operands.Width + 7) / 8)));
        context.Launch(
            new CombineBackwardWork<T, TPiece>
            {
                Rows = operands, DY = context.View<T>(dy), DRows = context.View<T>(dRows), DWeights = context.View<T>(dWeights), DYRow = dy.Layout.Stride(0),
                DRow = dRows.IsNone ? 0 : dRows.Layout.Stride(0), WantsRows = dRows.IsNone ? 0 : 1, WantsWeights = dWeights.IsNone ? 0 : 1,
            },
            rowOfSlot.Count, threads);
    }

    private static bool AreWhole(in View rows, in View tokens, in View dRows)
        => tokens.Layout[1] % 4 == 0 && WholePiece.IsAligned(rows) && WholePiece.IsAligned(tokens) && WholePiece.IsAligned(dRows);

    private ExpertRows<T> Rows<T>(in View rows, in View weights, in View rowOfSlot, in View tokens)
        where T : unmanaged, IElement<T>
        => new()
        {
            Rows = context.View<T>(rows), Weights = context.View<T>(weights), RowOfSlot = context.View<int>(rowOfSlot), Row = rows.Layout.Stride(0),
            Tokens = rowOfSlot.Layout[0], Slots = rowOfSlot.Layout[1], Width = tokens.Layout[1], HasWeights = weights.IsNone ? 0 : 1,
        };

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

    private RouterRow<T> Row<T>(in View logits, in View probabilities, double balance, double z)
        where T : unmanaged, IElement<T>
        => new()
        {
            Logits = context.View<T>(logits), Probabilities = context.View<T>(probabilities), LogitRow = logits.Layout.Stride(0),
            ProbabilityRow = probabilities.Layout.Stride(0), Rows = logits.Layout[0], Experts = logits.Layout[1],
            Balance = (float)(balance * logits.Layout[1]), Z = (float)z,
        };

    private void RouterLossBackward<T>(
        in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
        where T : unmanaged, IElement<T>
        => Launch(
            new RouterLossBackwardWork<T>
            {
                Row = Row<T>(logits, probabilities, balance, z), Load = context.View<float>(load), DLoss = context.View<float>(dLoss), DLogits = context.View<T>(dLogits),
                State = context.StateView, DLogitRow = dLogits.Layout.Stride(0), Accumulate = accumulate ? 1 : 0,
            },
            logits.Layout[0]);

    private void Launch<TWork>(in TWork work, long threads)
        where TWork : struct, IGpuWork<TWork>
        => context.Launch(work, Groups(threads), context.GroupSize);

    private long Groups(long threads) => (threads + context.GroupSize - 1) / context.GroupSize;
}
