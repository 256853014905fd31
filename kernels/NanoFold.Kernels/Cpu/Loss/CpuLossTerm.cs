using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>Numbers that become losses, and slots that become numbers, on the CPU. Elements are added in double, in their order.</summary>
public sealed unsafe class CpuLossTerm(CpuContext context) : IKernel<LossTermCall>, IKernel<LossTermBackwardCall>, IKernel<SlotValueCall>
{
    /// <exception cref="InvalidOperationException">The divisor is below 1.</exception>
    public void Run(in LossTermCall call)
    {
        call.Check();
        CpuContext.Require(call.X.Type);
        double sum = 0;
        void* x = call.X.Address;
        for (long i = 0; i < call.X.Count; i++)
        {
            sum += call.X.Type == DType.Float64 ? ((double*)x)[i] : ((float*)x)[i];
        }

        double loss = sum * Scale(LossTermCall.Name, call.State, call.Scale);
        Element.Set(call.Loss, loss);
        call.State.Increase(call.Term, loss);
    }

    /// <exception cref="InvalidOperationException">The divisor is below 1.</exception>
    public void Run(in LossTermBackwardCall call)
    {
        call.Check();
        CpuContext.Require(call.DX.Type);
        double gradient = Element.Get(call.DLoss) * call.State.GetDouble(StepSlot.LossScale) * Scale(LossTermBackwardCall.Name, call.State, call.Scale);
        Map.Run(context, new Unary<Constant>(new Constant(gradient)), call.DX, call.DX, call.Accumulate);
    }

    public void Run(in SlotValueCall call)
    {
        call.Check();
        CpuContext.Require(call.Y.Type);
        Element.Set(call.Y, call.State.GetDouble(call.Slot));
    }

    private static double Scale(string op, StepState state, in LossTermScale scale)
    {
        long divisor = state.GetInteger(scale.Divisor);
        return divisor > 0
            ? scale.Factor * (scale.Weight == StepSlot.None ? 1 : state.GetDouble(scale.Weight)) / divisor
            : throw new InvalidOperationException($"{op}: {scale.Divisor} is {divisor}, expected at least 1");
    }

    private readonly struct Constant(double value) : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => V.Constant(value);
    }
}
