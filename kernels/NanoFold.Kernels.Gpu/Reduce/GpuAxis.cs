using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Maxima and running sums along an axis, and elements taken and put by index there, on a GPU: a line a thread, taken elements each by one of its own.</summary>
internal sealed class GpuAxis(GpuContext context) : IKernel<MaximumCall>, IKernel<CumulativeSumCall>, IKernel<TakeAlongCall>, IKernel<PlaceAlongCall>
{
    public void Run(in MaximumCall call)
    {
        call.Check();
        ByElement.Run(MaximumCall.Name, call.X, new MaximumBody(context, call));
    }

    public void Run(in CumulativeSumCall call)
    {
        call.Check();
        ByElement.Run(CumulativeSumCall.Name, call.X, new CumulativeSumBody(context, call));
    }

    public void Run(in TakeAlongCall call)
    {
        call.Check();
        ByElement.Run(TakeAlongCall.Name, call.X, new TakeBody(context, call));
    }

    public void Run(in PlaceAlongCall call)
    {
        call.Check();
        if (!call.Accumulate)
        {
            Copies.Fill(context, call.Y, 0);
        }

        ByElement.Run(PlaceAlongCall.Name, call.X, new PlaceBody(context, call));
    }

    private static Layout Lines(in View view, int axis) => view.Layout.Select(axis, 0, out _);

    private readonly struct MaximumBody(GpuContext context, MaximumCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            Layout y = Lines(call.Y, call.Axis);
            Nest lines = Nest.Of(y, Lines(call.X, call.Axis), call.Indices.IsNone ? y : Lines(call.Indices, call.Axis));
            context.LaunchThreads(
                new MaximumWork<T>
                {
                    X = context.View<T>(call.X), Y = context.View<T>(call.Y), Indices = context.View<int>(call.Indices), Lines = lines,
                    Length = call.X.Layout[call.Axis], Stride = call.X.Layout.Stride(call.Axis), HasIndices = call.Indices.IsNone ? 0 : 1,
                },
                lines.Count);
        }
    }

    private readonly struct CumulativeSumBody(GpuContext context, CumulativeSumCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            Nest lines = Nest.Of(Lines(call.Y, call.Axis), Lines(call.X, call.Axis));
            context.LaunchThreads(
                new CumulativeSumWork<T>
                {
                    X = context.View<T>(call.X), Y = context.View<T>(call.Y), Lines = lines, Length = call.X.Layout[call.Axis],
                    XStride = call.X.Layout.Stride(call.Axis), YStride = call.Y.Layout.Stride(call.Axis),
                    Exclusive = call.Exclusive ? 1 : 0, Reverse = call.Reverse ? 1 : 0, Accumulate = call.Accumulate ? 1 : 0,
                },
                lines.Count);
        }
    }

    private readonly struct TakeBody(GpuContext context, TakeAlongCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            // Where an element's line begins in x: x moves along the others only.
            Nest elements = Nest.Of(call.Y.Layout, call.Indices.Layout, call.X.Layout.Slice(call.Axis, 0, 1, out _));
            context.LaunchThreads(
                new TakeAlongWork<T>
                {
                    X = context.View<T>(call.X), Y = context.View<T>(call.Y), Indices = context.View<int>(call.Indices), Elements = elements,
                    Length = call.X.Layout[call.Axis], Stride = call.X.Layout.Stride(call.Axis), Accumulate = call.Accumulate ? 1 : 0,
                },
                elements.Count);
        }
    }

    private readonly struct PlaceBody(GpuContext context, PlaceAlongCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            Nest lines = Nest.Of(Lines(call.Y, call.Axis), Lines(call.X, call.Axis), Lines(call.Indices, call.Axis));
            context.LaunchThreads(
                new PlaceAlongWork<T>
                {
                    X = context.View<T>(call.X), Y = context.View<T>(call.Y), Indices = context.View<int>(call.Indices), Lines = lines,
                    Count = call.X.Layout[call.Axis], Length = call.Y.Layout[call.Axis], XStride = call.X.Layout.Stride(call.Axis),
                    YStride = call.Y.Layout.Stride(call.Axis), IndexStride = call.Indices.Layout.Stride(call.Axis),
                },
                lines.Count);
        }
    }
}
