using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>
/// The optimisers' passes on a GPU, in single precision; what they read of the step's state they read on the device. <see cref="StepSlot.Step"/> has to be
/// at least 1: with 0 the bias correction divides by 0.
/// </summary>
internal sealed class GpuOptimizer(GpuContext context) : IOptimizerKernels
{
    /// <summary>Groups of a sum of squares at most.</summary>
    private const int MostSums = 1024;

    /// <summary>As above, where each group of the next kernel adds the sums up.</summary>
    private const int MostMatrixSums = 256;

    /// <summary>Groups of a pass that begins with some work for the whole group: many to a processor, so that the last round is a small part of all.</summary>
    private const int MostGroups = 8192;

    /// <summary>Pieces of a thread before another group is worth its sum.</summary>
    private const int PiecesPerThread = 4;

    public void AddSquares(in View gradient)
    {
        OptimizerChecks.Vector("add squares", "gradient", gradient);
        Single("add squares", gradient);
        ArrayView<double> sums = Squares(gradient, MostSums);
        context.Launch(new AddSumWork { Sums = sums, State = context.StateView, Count = (int)sums.Length }, 1, context.GroupSize);
    }

    public void Decide(double clip, bool dynamicLossScale)
    {
        OptimizerChecks.Clip(clip);
        context.Launch(new DecideWork { State = context.StateView, Clip = clip, IsDynamic = dynamicLossScale ? 1 : 0 }, 1, 1);
    }

    public void AdamW(
        in View parameter, in View gradient, in View first, in View second, double beta1, double beta2, double epsilon, double decay, double rateFactor)
    {
        const string Op = "adamw";
        Pass(Op, "parameter", parameter, "gradient", gradient);
        Pass(Op, "parameter", parameter, "first", first);
        Pass(Op, "parameter", parameter, "second", second);
        if (AreWhole(parameter, gradient) && AreWhole(first, second))
        {
            AdamW<WholePiece>(parameter, gradient, first, second, beta1, beta2, epsilon, decay, rateFactor);
        }
        else
        {
            AdamW<AnyPiece>(parameter, gradient, first, second, beta1, beta2, epsilon, decay, rateFactor);
        }
    }

    public void MuonMomentum(in View gradient, in View momentum, in View update, double beta, bool nesterov)
    {
        const string Op = "muon momentum";
        Pass(Op, "gradient", gradient, "momentum", momentum);
        Pass(Op, "gradient", gradient, "update", update);
        if (AreWhole(gradient, momentum) && AreWhole(update, update))
        {
            MuonMomentum<WholePiece>(gradient, momentum, update, beta, nesterov);
        }
        else
        {
            MuonMomentum<AnyPiece>(gradient, momentum, update, beta, nesterov);
        }
    }

    public void NormalizeFrobenius(in View x, in View y, double epsilon)
    {
        Pass("normalize frobenius", "x", x, "y", y);
        if (AreWhole(x, y))
        {
            NormalizeFrobenius<WholePiece>(x, y, epsilon);
        }
        else
        {
            NormalizeFrobenius<AnyPiece>(x, y, epsilon);
        }
    }

    public void MuonApply(in View parameter, in View update, double decay, double rateFactor)
    {
        Pass("muon apply", "parameter", parameter, "update", update);
        if (AreWhole(parameter, update))
        {
            MuonApply<WholePiece>(parameter, update, decay, rateFactor);
        }
        else
        {
            MuonApply<AnyPiece>(parameter, update, decay, rateFactor);
        }
    }

    private void AdamW<TPiece>(in View parameter, in View gradient, in View first, in View second, double beta1, double beta2, double epsilon, double decay, double rateFactor)
        where TPiece : struct, IPiece
        => context.Launch(
            new AdamWork<TPiece>
            {
                Parameter = context.View<F32>(parameter),
                Gradient = context.View<F32>(gradient),
                First = context.View<F32>(first),
                Second = context.View<F32>(second),
                State = context.StateView,
                Beta1 = beta1,
                Beta2 = beta2,
                RateFactor = rateFactor,
                Decay = decay,
                Epsilon = (float)epsilon,
                Count = (int)parameter.Count,
            },
            Groups(parameter.Count, context.GroupSize, MostGroups), context.GroupSize);

    private void MuonMomentum<TPiece>(in View gradient, in View momentum, in View update, double beta, bool nesterov)
        where TPiece : struct, IPiece
        => context.Launch(
            new MomentumWork<TPiece>
            {
                Gradient = context.View<F32>(gradient),
                Momentum = context.View<F32>(momentum),
                Update = context.View<F32>(update),
                State = context.StateView,
                Beta = beta,
                Count = (int)gradient.Count,
                IsNesterov = nesterov ? 1 : 0,
            },
            Groups(gradient.Count, context.GroupSize), context.GroupSize);

    private void NormalizeFrobenius<TPiece>(in View x, in View y, double epsilon)
        where TPiece : struct, IPiece
    {
        ArrayView<double> sums = Squares(x, MostMatrixSums);
        context.Launch(
            new NormalizeWork<TPiece>
            {
                X = context.View<F32>(x),
                Y = context.View<F32>(y),
                Sums = sums,
                State = context.StateView,
                Epsilon = epsilon,
                Groups = (int)sums.Length,
                Count = (int)x.Count,
            },
            Groups(x.Count, PiecesPerThread * context.GroupSize), context.GroupSize);
    }

    private void MuonApply<TPiece>(in View parameter, in View update, double decay, double rateFactor)
        where TPiece : struct, IPiece
        => context.Launch(
            new MuonApplyWork<TPiece>
            {
                Parameter = context.View<F32>(parameter),
                Update = context.View<F32>(update),
                State = context.StateView,
                RateFactor = rateFactor,
                Decay = decay,
                Count = (int)parameter.Count,
            },
            Groups(parameter.Count, context.GroupSize), context.GroupSize);

    private ArrayView<double> Squares(in View x, int most)
    {
        int groups = Groups(x.Count, PiecesPerThread * context.GroupSize, most);
        ArrayView<double> sums = context.Scratch(groups * sizeof(double)).Cast<double>();
        context.Launch(
            new SquareSumWork { X = context.View<F32>(x), Sums = sums, Count = x.Count, Whole = WholePiece.Elements(x, x.Count) }, groups, context.GroupSize);
        return sums;
    }

    private static void Pass(string op, string nameX, in View x, string nameY, in View y)
    {
        OptimizerChecks.Pass(op, nameX, x, nameY, y);
        Single(op, x);
    }

    private static void Single(string op, in View x)
    {
        if (x.Type != DType.Float32)
        {
            Checks.Throw(op, $"{x} on a GPU, expected Float32");
        }
    }

    private static bool AreWhole(in View x, in View y) => x.Count % 4 == 0 && x.Offset % 4 == 0 && y.Offset % 4 == 0;

    private static int Groups(long count, int piecesPerGroup, int most = int.MaxValue)
        => (int)Math.Min(most, (count + 4L * piecesPerGroup - 1) / (4L * piecesPerGroup));
}
