using System.Numerics;
using NanoFold.Kernels.Fused;
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
        ByElement.Run(Op, y, new CombineBody(context, rows, weights, rowOfSlot, y, accumulate));
    }

    public void CombineBackward(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
    {
        const string Op = "expert combine backward";
        ExpertChecks.CombineBackward(Op, rows, weights, rowOfSlot, dy, dRows, dWeights);
        ByElement.Run(Op, dy, new CombineBackwardBody(context, rows, weights, rowOfSlot, dy, dRows, dWeights));
    }

    public void Weights(in View probabilities, in View indices, in View weights, bool renormalize)
    {
        const string Op = "expert weights";
        ExpertChecks.Weights(Op, probabilities, indices, weights);
        ByElement.Run(Op, weights, new WeightsBody(context, probabilities, indices, weights, renormalize));
    }

    public void WeightsBackward(in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities, bool renormalize)
    {
        const string Op = "expert weights backward";
        ExpertChecks.WeightsBackward(Op, probabilities, indices, weights, dWeights, dProbabilities);
        ByElement.Run(Op, weights, new WeightsBackwardBody(context, new WeightsBody(context, probabilities, indices, weights, renormalize), dWeights, dProbabilities));
    }

    public void RouterLoss(in View logits, in View probabilities, in View offsets, in View load, in View loss, double balance, double z)
        => _routerLoss.Forward(logits, probabilities, offsets, load, loss, balance, z);

    public void RouterLossBackward(
        in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
        => _routerLoss.Backward(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);

    private static ExpertRows<T> Rows<T>(GpuContext context, in View rows, in View weights, in View rowOfSlot)
        where T : unmanaged, IElement<T>
        => new()
        {
            Rows = context.View<T>(rows), Weights = context.View<T>(weights), RowOfSlot = context.View<int>(rowOfSlot), Row = rows.Layout.Stride(0),
            Tokens = rowOfSlot.Layout[0], Slots = rowOfSlot.Layout[1], Width = rows.Layout[1], HasWeights = weights.IsNone ? 0 : 1,
        };

    private static bool IsWhole(in View rows, in View tokens, in View dRows)
        => rows.Layout[1] % 4 == 0 && WholePiece.IsAligned(rows) && WholePiece.IsAligned(tokens) && WholePiece.IsAligned(dRows);

    private readonly struct CombineBody(GpuContext context, View rows, View weights, View rowOfSlot, View y, bool accumulate) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            if (IsWhole(rows, y, default))
            {
                Run<T, WholePiece>();
            }
            else
            {
                Run<T, AnyPiece>();
            }
        }

        private void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
            => context.LaunchThreads(
                new CombineWork<T, TPiece>
                {
                    Rows = Rows<T>(context, rows, weights, rowOfSlot), Y = context.View<T>(y), YRow = y.Layout.Stride(0), Accumulate = accumulate ? 1 : 0,
                },
                (long)y.Layout[0] * WholePiece.Count(y.Layout[1]));
    }

    private readonly struct CombineBackwardBody(GpuContext context, View rows, View weights, View rowOfSlot, View dy, View dRows, View dWeights) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            if (IsWhole(rows, dy, dRows))
            {
                Run<T, WholePiece>();
            }
            else
            {
                Run<T, AnyPiece>();
            }
        }

        private void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
            => context.Launch(
                new CombineBackwardWork<T, TPiece>
                {
                    Rows = Rows<T>(context, rows, weights, rowOfSlot), DY = context.View<T>(dy), DRows = context.View<T>(dRows), DWeights = context.View<T>(dWeights),
                    DYRow = dy.Layout.Stride(0), DRow = dRows.IsNone ? 0 : dRows.Layout.Stride(0), WantsRows = dRows.IsNone ? 0 : 1, WantsWeights = dWeights.IsNone ? 0 : 1,
                },
                rowOfSlot.Count, Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)(dy.Layout[1] + 7) / 8))));
    }

    private readonly struct WeightsBody(GpuContext context, View probabilities, View indices, View weights, bool renormalize) : IElementBody
    {
        public int Tokens => indices.Layout[0];

        public int Experts => probabilities.Layout[1];

        public ExpertWeightsWork<T> Work<T>()
            where T : unmanaged, IElement<T>
            => new()
            {
                Probabilities = context.View<T>(probabilities), Weights = context.View<T>(weights), Indices = context.View<int>(indices),
                ProbabilityRow = probabilities.Layout.Stride(0), Tokens = Tokens, Slots = indices.Layout[1], Renormalize = renormalize ? 1 : 0,
            };

        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(Work<T>(), Tokens);
    }

    private readonly struct WeightsBackwardBody(GpuContext context, WeightsBody forward, View dWeights, View dProbabilities) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new ExpertWeightsBackwardWork<T>
                {
                    Forward = forward.Work<T>(), DWeights = context.View<T>(dWeights), DProbabilities = context.View<T>(dProbabilities),
                    DProbabilityRow = dProbabilities.Layout.Stride(0), Experts = forward.Experts,
                },
                forward.Tokens);
    }
}
