using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>Numbers that become losses, and slots that become numbers, on a GPU. Where the divisor was not set, the loss is not finite.</summary>
internal sealed class GpuLossTerm(GpuContext context) : IKernel<LossTermCall>, IKernel<LossTermBackwardCall>, IKernel<SlotValueCall>
{
    public void Run(in LossTermCall call)
    {
        call.Check();
        ByElement.Run(LossTermCall.Name, call.X, new ForwardBody(context, call));
    }

    public void Run(in LossTermBackwardCall call)
    {
        call.Check();
        ByElement.Run(LossTermBackwardCall.Name, call.DX, new BackwardBody(context, call));
    }

    public void Run(in SlotValueCall call)
    {
        call.Check();
        ByElement.Run(SlotValueCall.Name, call.Y, new ValueBody(context, call));
    }

    private readonly struct ForwardBody(GpuContext context, LossTermCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.Launch(
                new LossTermWork<T>
                {
                    X = context.View<T>(call.X), Loss = context.View<float>(call.Loss), Scale = SlotScale.Of(context, call.State, call.Scale),
                    Term = (int)call.Term, Count = call.X.Count,
                },
                1, context.GroupSize);
    }

    private readonly struct BackwardBody(GpuContext context, LossTermBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new LossTermBackwardWork<T>
                {
                    DX = context.View<T>(call.DX), DLoss = context.View<float>(call.DLoss), Scale = SlotScale.Of(context, call.State, call.Scale),
                    Count = call.DX.Count, Accumulate = call.Accumulate ? 1 : 0,
                },
                call.DX.Count);
    }

    private readonly struct ValueBody(GpuContext context, SlotValueCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.Launch(new SlotValueWork<T> { Y = context.View<T>(call.Y), State = context.Slots(call.State), Slot = (int)call.Slot }, 1, 1);
    }
}

/// <summary>A <see cref="LossTermScale"/> as kernels see it.</summary>
internal struct SlotScale
{
    public ArrayView<long> State;
    public double Factor;
    public int Weight, Divisor;

    public static SlotScale Of(GpuContext context, StepState state, in LossTermScale scale)
        => new() { State = context.Slots(state), Factor = scale.Factor, Weight = (int)scale.Weight, Divisor = (int)scale.Divisor };

    public static double Value(in SlotScale scale)
    {
        double weight = 1;
        if (scale.Weight >= 0)
        {
            weight = Slots.Double(scale.State, (StepSlot)scale.Weight);
        }

        return scale.Factor * weight / scale.State[scale.Divisor];
    }
}

/// <summary>loss = scale · Σ x, added up in double by one group, and added to a slot.</summary>
internal struct LossTermWork<T> : IGpuWork<LossTermWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X;
    public ArrayView<float> Loss;
    public SlotScale Scale;
    public long Count;
    public int Term;

    public static void Run(LossTermWork<T> w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        for (long i = Group.IdxX; i < w.Count; i += Group.DimX)
        {
            sum += T.Read(w.X[i]);
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            double loss = sum * SlotScale.Value(w.Scale);
            w.Loss[0] = (float)loss;
            Slots.Increase(w.Scale.State, w.Term, loss);
        }
    }
}

/// <summary>dX = dLoss · LossScale · scale (+ dX), the same everywhere.</summary>
internal struct LossTermBackwardWork<T> : IGpuWork<LossTermBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> DX;
    public ArrayView<float> DLoss;
    public SlotScale Scale;
    public long Count;
    public int Accumulate;

    public static void Run(LossTermBackwardWork<T> w)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Count)
        {
            float gradient = (float)(w.DLoss[0] * Slots.Double(w.Scale.State, StepSlot.LossScale) * SlotScale.Value(w.Scale));
            w.DX[i] = T.Write(w.Accumulate != 0 ? T.Read(w.DX[i]) + gradient : gradient);
        }
    }
}

/// <summary>A slot's number in an element: one thread.</summary>
internal struct SlotValueWork<T> : IGpuWork<SlotValueWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Y;
    public ArrayView<long> State;
    public int Slot;

    public static void Run(SlotValueWork<T> w) => w.Y[0] = T.Write((float)Slots.Double(w.State, (StepSlot)w.Slot));
}
