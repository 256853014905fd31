using System.Numerics;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Optimizers;

/// <summary>The optimizers' passes on the CPU: each reads and writes its tensors once.</summary>
public sealed unsafe class CpuOptimizer(CpuContext context) :
    IKernel<AddSquaresCall>, IKernel<DecideCall>, IKernel<AdamWCall>, IKernel<MuonMomentumCall>, IKernel<NormalizeFrobeniusCall>, IKernel<MuonApplyCall>
{
    private readonly SquareSum _squares = new(context);

    public void Run(in AddSquaresCall call)
    {
        call.Check();
        call.State.Increase(StepSlot.GradientSquares, _squares.Of(call.Gradient));
    }

    public void Run(in DecideCall call)
    {
        call.Check();
        StepState state = call.State;
        double lossScale = state.GetDouble(StepSlot.LossScale);
        double squares = state.GetDouble(StepSlot.GradientSquares) / (lossScale * lossScale);
        state.Set(StepSlot.GradientSquares, squares);
        bool isFinite = IsFinite(state) && double.IsFinite(squares);
        if (isFinite)
        {
            double norm = Math.Sqrt(squares);
            state.Set(StepSlot.GradientScale, (call.Clip > 0 && norm > call.Clip ? call.Clip / norm : 1.0) / lossScale);
        }
        else
        {
            state.Set(StepSlot.GradientScale, 0.0);
            state.Set(StepSlot.Skipped, state.GetInteger(StepSlot.Skipped) + 1);
        }

        if (call.DynamicLossScale)
        {
            AdjustLossScale(state, lossScale, isFinite);
        }
    }

    /// <exception cref="InvalidOperationException"><see cref="StepSlot.Step"/> is below 1: the bias correction divides by 1 − βᵗ.</exception>
    public void Run(in AdamWCall call)
    {
        call.Check();
        double scale = call.State.GetDouble(StepSlot.GradientScale);
        if (scale == 0)
        {
            return;
        }

        long step = call.State.GetInteger(StepSlot.Step);
        if (step < 1)
        {
            throw new InvalidOperationException($"{AdamWCall.Name}: {nameof(StepSlot.Step)} is {step}, expected 1 for the first step");
        }

        double rate = call.State.GetDouble(call.Rate);
        var work = new AdamWork
        {
            Parameter = (byte*)call.Parameter.Address,
            Gradient = (byte*)call.Gradient.Address,
            First = (byte*)call.First.Address,
            Second = (byte*)call.Second.Address,
            Count = call.Parameter.Count,
            GradientScale = scale,
            Keep1 = call.Beta1,
            Keep2 = call.Beta2,
            FirstRate = rate / (1 - PortableMath.Pow(call.Beta1, step)),
            SecondCorrection = 1 / (1 - PortableMath.Pow(call.Beta2, step)),
            Epsilon = call.Epsilon,
            DecayRate = rate * call.Decay,
        };
        context.Run(call.Parameter.Type, RowBlocks.Items(work.Count, AdamWork.ElementsPerItem), ref work);
    }

    public void Run(in MuonMomentumCall call)
    {
        call.Check();
        double scale = call.State.GetDouble(StepSlot.GradientScale);
        if (scale == 0)
        {
            return;
        }

        var work = new MomentumWork
        {
            Gradient = (byte*)call.Gradient.Address,
            Momentum = (byte*)call.Momentum.Address,
            Update = (byte*)call.Update.Address,
            Count = call.Gradient.Count,
            Keep = call.Beta,
            Take = (1 - call.Beta) * scale,
        };
        context.Run(call.Gradient.Type, RowBlocks.Items(work.Count, MomentumWork.ElementsPerItem), ref work);
    }

    public void Run(in NormalizeFrobeniusCall call)
    {
        call.Check();
        if (call.State.GetDouble(StepSlot.GradientScale) != 0)
        {
            View x = call.X;
            double squares = _squares.Of(x);
            if (squares < NormalizeFrobeniusCall.Small)
            {
                Scale(x, call.Y, NormalizeFrobeniusCall.Lift, decay: 0, step: false);
                x = call.Y;
                squares = _squares.Of(x);
            }

            Scale(x, call.Y, squares == 0 ? 0 : 1 / Math.Sqrt(squares), decay: 0, step: false);
        }
    }

    public void Run(in MuonApplyCall call)
    {
        call.Check();
        if (!call.Rounded.IsNone)
        {
            Checks.Throw(MuonApplyCall.Name, $"rounded is {call.Rounded}, expected none on a CPU");
        }

        if (call.State.GetDouble(StepSlot.GradientScale) != 0)
        {
            double rate = call.State.GetDouble(call.Rate) * call.RateFactor;
            Scale(call.Update, call.Parameter, rate, rate * call.Decay, step: true);
        }
    }

    private static bool IsFinite(StepState state)
    {
        double loss = state.GetDouble(StepSlot.Loss);
        for (long terms = state.GetInteger(StepSlot.TermMask); terms != 0; terms &= terms - 1)
        {
            loss += state.GetDouble((StepSlot)BitOperations.TrailingZeroCount(terms));
        }

        return double.IsFinite(loss);
    }

    private static void AdjustLossScale(StepState state, double scale, bool isFinite)
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
