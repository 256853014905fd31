using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>Squared errors on a GPU, a thread a row. Losses while <see cref="StepSlot.TargetCount"/> is below 1 make the loss not a number.</summary>
internal sealed class GpuSquaredError(GpuContext context) : IKernel<SquaredErrorCall>, IKernel<SquaredErrorBackwardCall>
{
    public void Run(in SquaredErrorCall call)
    {
        call.Check();
        ByElement.Run(SquaredErrorCall.Name, call.Y, new ForwardBody(context, call));
        GpuCrossEntropy.AddLoss(context, call.State, call.Losses, call.Loss);
    }

    public void Run(in SquaredErrorBackwardCall call)
    {
        call.Check();
        ByElement.Run(SquaredErrorBackwardCall.Name, call.Y, new BackwardBody(context, call));
    }

    private readonly struct ForwardBody(GpuContext context, SquaredErrorCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new SquaredErrorWork<T>
                {
                    Y = context.View<T>(call.Y), Targets = context.View<float>(call.Targets), Marks = context.View<int>(call.Marks),
                    Losses = context.View<float>(call.Losses), Rows = call.Y.Layout[0], Width = call.Y.Layout[1],
                    Stride = call.Y.Layout.Stride(0), TargetStride = call.Targets.Layout.Stride(0),
                },
                call.Y.Layout[0]);
    }

    private readonly struct BackwardBody(GpuContext context, SquaredErrorBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.LaunchThreads(
                new SquaredErrorBackwardWork<T>
                {
                    Y = context.View<T>(call.Y), DY = context.View<T>(call.DY), Targets = context.View<float>(call.Targets), Marks = context.View<int>(call.Marks),
                    DLoss = context.View<float>(call.DLoss), State = context.Slots(call.State), Rows = call.Y.Layout[0], Width = call.Y.Layout[1],
                    Stride = call.Y.Layout.Stride(0), DStride = call.DY.Layout.Stride(0), TargetStride = call.Targets.Layout.Stride(0),
                    Accumulate = call.Accumulate ? 1 : 0,
                },
                call.Y.Layout[0]);
    }
}

/// <summary>The mean of a row's squared differences, 0 where it has no target.</summary>
internal struct SquaredErrorWork<T> : IGpuWork<SquaredErrorWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Y;
    public ArrayView<float> Targets, Losses;
    public ArrayView<int> Marks;
    public long Stride, TargetStride;
    public int Rows, Width;

    public static void Run(SquaredErrorWork<T> w)
    {
        int row = Grid.IdxX * Group.DimX + Group.IdxX;
        if (row >= w.Rows)
        {
            return;
        }

        float sum = 0;
        for (int o = 0; w.Marks[row] != -1 && o < w.Width; o++)
        {
            float difference = T.Read(w.Y[row * w.Stride + o]) - w.Targets[row * w.TargetStride + o];
            sum += difference * difference;
        }

        w.Losses[row] = sum / w.Width;
    }
}

/// <summary>dY = 2 (y − target) · dLoss · LossScale / (O · TargetCount), 0 where a row has no target.</summary>
internal struct SquaredErrorBackwardWork<T> : IGpuWork<SquaredErrorBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Y, DY;
    public ArrayView<float> Targets, DLoss;
    public ArrayView<int> Marks;
    public ArrayView<long> State;
    public long Stride, DStride, TargetStride;
    public int Rows, Width, Accumulate;

    public static void Run(SquaredErrorBackwardWork<T> w)
    {
        int row = Grid.IdxX * Group.DimX + Group.IdxX;
        if (row >= w.Rows)
        {
            return;
        }

        bool hasTarget = w.Marks[row] != -1;
        float scale = hasTarget ? (float)(2 * w.DLoss[0] * Slots.Double(w.State, StepSlot.LossScale) / ((double)w.Width * w.State[(int)StepSlot.TargetCount])) : 0;
        for (int o = 0; o < w.Width; o++)
        {
            float value = hasTarget ? scale * (T.Read(w.Y[row * w.Stride + o]) - w.Targets[row * w.TargetStride + o]) : 0;
            long at = row * w.DStride + o;
            w.DY[at] = T.Write(w.Accumulate != 0 ? T.Read(w.DY[at]) + value : value);
        }
    }
}
