using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Cpu.Optimizers;

/// <summary>The optimisers' passes on the CPU: each reads and writes its tensors once.</summary>
public sealed unsafe class CpuOptimizer(CpuContext context) : IOptimizerKernels
{
    private readonly SquareSum _squares = new(context);

    public void AddSquares(in View gradient)
    {
        OptimizerChecks.Vector("add squares", "gradient", gradient);
        context.State.Set(StepSlot.GradientSquares, context.State.GetDouble(StepSlot.GradientSquares) + _squares.Of(gradient));
    }

    public void Decide(double clip, bool dynamicLossScale)
    {
        OptimizerChecks.Clip(clip);
        CpuStepState state = context.State;
        double lossScale = state.GetDouble(StepSlot.LossScale);
        double squares = state.GetDouble(StepSlot.GradientSquares) / (lossScale * lossScale);
        state.Set(StepSlot.GradientSquares, squares);
        bool isFinite = double.IsFinite(state.GetDouble(StepSlot.Loss)) && double.IsFinite(squares);
        if (isFinite)
        {
            double norm = Math.Sqrt(squares);
            state.Set(StepSlot.GradientScale, (clip > 0 && norm > clip ? clip / norm : 1.0) / lossScale);
        }
        else
        {
            state.Set(StepSlot.GradientScale, 0.0);
            state.Set(StepSlot.Skipped, state.GetInteger(StepSlot.Skipped) + 1);
        }

        if (dynamicLossScale)
        {
            AdjustLossScale(state, lossScale, isFinite);
        }
    }

    /// <exception cref="InvalidOperationException"><see cref="StepSlot.Step"/> is below 1: the bias correction divides by 1 − βᵗ.</exception>
    public void AdamW(
        in View parameter, in View gradient, in View first, in View second, double beta1, double beta2, double epsilon, double decay, double rateFactor)
    {
        const string Op = "adamw";
        OptimizerChecks.Pass(Op, "parameter", parameter, "gradient", gradient);
        OptimizerChecks.Pass(Op, "parameter", parameter, "first", first);
        OptimizerChecks.Pass(Op, "parameter", parameter, "second", second);
        double scale = context.State.GetDouble(StepSlot.GradientScale);
        if (scale == 0)
        {
            return;
        }

        long step = context.State.GetInteger(StepSlot.Step);
        if (step < 1)
        {
            throw new InvalidOperationException($"{Op}: {nameof(StepSlot.Step)} is {step}, expected 1 for the first step");
        }

        double rate = context.State.GetDouble(StepSlot.LearningRate) * rateFactor;
        var work = new AdamWork
        {
            Parameter = (byte*)parameter.Address,
            Gradient = (byte*)gradient.Address,
            First = (byte*)first.Address,
            Second = (byte*)second.Address,
            Count = parameter.Count,
            GradientScale = scale,
            Keep1 = beta1,
            Keep2 = beta2,
            FirstRate = rate / (1 - Math.Pow(beta1, step)),
            SecondCorrection = 1 / (1 - Math.Pow(beta2, step)),
            Epsilon = epsilon,
            DecayRate = rate * decay,
        };
        context.Run(parameter.Type, RowBlocks.Items(work.Count, AdamWork.ElementsPerItem), ref work);
    }

    public void MuonMomentum(in View gradient, in View momentum, in View update, double beta, bool nesterov)
    {
        const string Op = "muon momentum";
        OptimizerChecks.Pass(Op, "gradient", gradient, "momentum", momentum);
        OptimizerChecks.Pass(Op, "gradient", gradient, "update", update);
        double scale = context.State.GetDouble(StepSlot.GradientScale);
        if (scale == 0)
        {
            return;
        }

        var work = new MomentumWork
        {
            Gradient = (byte*)gradient.Address,
            Momentum = (byte*)momentum.Address,
            Update = (byte*)update.Address,
            Count = gradient.Count,
            Keep = beta,
            Take = (1 - beta) * scale,
            Nesterov = nesterov,
        };
        context.Run(gradient.Type, RowBlocks.Items(work.Count, MomentumWork.ElementsPerItem), ref work);
    }

    public void NormalizeFrobenius(in View x, in View y, double epsilon)
    {
        OptimizerChecks.Pass("normalize frobenius", "x", x, "y", y);
        if (context.State.GetDouble(StepSlot.GradientScale) != 0)
        {
            // A zero matrix stays zero, with ε = 0 too.
            double norm = Math.Sqrt(_squares.Of(x)) + epsilon;
            Scale(x, y, norm > 0 ? 1 / norm : 0, decay: 0, step: false);
        }
    }

    public void MuonApply(in View parameter, in View update, double decay, double rateFactor)
    {
        OptimizerChecks.Pass("muon apply", "parameter", parameter, "update", update);
        if (context.State.GetDouble(StepSlot.GradientScale) != 0)
        {
            double rate = context.State.GetDouble(StepSlot.MatrixLearningRate) * rateFactor;
            Scale(update, parameter, rate, rate * decay, step: true);
        }
    }

    private static void AdjustLossScale(CpuStepState state, double scale, bool isFinite)
    {
        long good = isFinite ? state.GetInteger(StepSlot.GoodSteps) + 1 : 0;
        if (!isFinite)
        {
            scale = Math.Max(LossScaling.Least, scale / 2);
        }
        else if (good == LossScaling.StepsPerDoubling)
        {
            scale = Math.Min(LossScaling.Most, 2 * scale);
            good = 0;
        }

        state.Set(StepSlot.LossScale, scale);
        state.Set(StepSlot.GoodSteps, good);
    }

    private void Scale(in View x, in View y, double factor, double decay, bool step)
    {
        var work = new ScaleWork { X = (byte*)x.Address, Y = (byte*)y.Address, Count = x.Count, Factor = factor, Decay = decay, Step = step };
        context.Run(x.Type, RowBlocks.Items(work.Count, ScaleWork.ElementsPerItem), ref work);
    }
}
