using ILGPU;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>Whether the step is taken, the factor on its gradients, and the next loss scale: one thread.</summary>
internal struct DecideWork : IGpuWork<DecideWork>
{
    public ArrayView<long> State;
    public double Clip;
    public int IsDynamic;

    public static void Run(DecideWork w)
    {
        double lossScale = Slots.Double(w.State, StepSlot.LossScale);
        double squares = Slots.Double(w.State, StepSlot.GradientSquares) / (lossScale * lossScale);
        Slots.Set(w.State, StepSlot.GradientSquares, squares);
        double loss = Slots.Double(w.State, StepSlot.Loss);
        long terms = w.State[(int)StepSlot.TermMask];
        for (int slot = (int)StepSlot.Free; slot < StepState.Capacity; slot++)
        {
            loss += ((terms >> slot) & 1) != 0 ? Slots.Double(w.State, (StepSlot)slot) : 0;
        }

        bool isFinite = double.IsFinite(loss) && double.IsFinite(squares);
        double scale = 0;
        if (isFinite)
        {
            double norm = Math.Sqrt(squares);
            scale = (w.Clip > 0 && norm > w.Clip ? w.Clip / norm : 1) / lossScale;
        }
        else
        {
            w.State[(int)StepSlot.Skipped] += 1;
        }

        Slots.Set(w.State, StepSlot.GradientScale, scale);
        if (w.IsDynamic != 0)
        {
            AdjustLossScale(w.State, lossScale, isFinite);
        }
    }

    private static void AdjustLossScale(ArrayView<long> state, double scale, bool isFinite)
    {
        long good = isFinite ? state[(int)StepSlot.GoodSteps] + 1 : 0;
        if (!isFinite)
        {
            scale = scale / 2 > LossScaling.Least ? scale / 2 : LossScaling.Least;
        }
        else if (good == LossScaling.StepsPerDoubling)
        {
            scale = 2 * scale < LossScaling.Most ? 2 * scale : LossScaling.Most;
            good = 0;
        }

        Slots.Set(state, StepSlot.LossScale, scale);
        state[(int)StepSlot.GoodSteps] = good;
    }
}
