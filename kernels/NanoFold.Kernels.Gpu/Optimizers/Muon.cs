using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>m = β m + (1 − β) scale · g; update = (1 − β) scale · g + β m (Nesterov).</summary>
internal struct MomentumWork<TPiece> : IGpuWork<MomentumWork<TPiece>>
    where TPiece : struct, IPiece
{
    public ArrayView<F32> Gradient, Momentum, Update;
    public ArrayView<long> State;
    public double Beta;
    public int Count;

    public static void Run(MomentumWork<TPiece> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        double scale = Slots.Double(w.State, StepSlot.GradientScale);
        if (scale == 0 || 4 * i >= w.Count)
        {
            return;
        }

        float keep = (float)w.Beta, take = (float)((1 - w.Beta) * scale);
        Float4 gradient = TPiece.Load(w.Gradient, 0, i, w.Count) * take;
        Float4 momentum = TPiece.Load(w.Momentum, 0, i, w.Count) * keep + gradient;
        TPiece.Store(w.Momentum, 0, i, w.Count, momentum);
        TPiece.Store(w.Update, 0, i, w.Count, momentum * keep + gradient);
    }
}

/// <summary>p −= rate · update + rate · decay · p, where rate is the slot's · rateFactor; and p once more, rounded, where that is asked for.</summary>
internal struct MuonApplyWork<TPiece, TRounded> : IGpuWork<MuonApplyWork<TPiece, TRounded>>
    where TPiece : struct, IPiece
    where TRounded : unmanaged, IElement<TRounded>
{
    public ArrayView<F32> Parameter, Update;

    /// <summary>Written only where <see cref="Rounds"/>.</summary>
    public ArrayView<TRounded> Rounded;
    public ArrayView<long> State;
    public double RateFactor, Decay;
    public int Rate, Count, Rounds;

    public static void Run(MuonApplyWork<TPiece, TRounded> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (Slots.Double(w.State, StepSlot.GradientScale) == 0 || 4 * i >= w.Count)
        {
            return;
        }

        double rate = Slots.Double(w.State, (StepSlot)w.Rate) * w.RateFactor;
        Float4 p = TPiece.Load(w.Parameter, 0, i, w.Count), update = TPiece.Load(w.Update, 0, i, w.Count);
        p -= p * (float)(rate * w.Decay) + update * (float)rate;
        TPiece.Store(w.Parameter, 0, i, w.Count, p);
        if (w.Rounds != 0)
        {
            TPiece.Store(w.Rounded, 0, i, w.Count, p);
        }
    }
}
