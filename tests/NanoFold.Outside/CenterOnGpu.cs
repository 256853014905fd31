#if GPU
using ILGPU;
using ILGPU.Runtime;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace Outside;

/// <summary>Rows without their mean, a group of threads a row.</summary>
public sealed class GpuCenter(GpuContext context) : IKernel<CenterCall>
{
    public void Run(in CenterCall call)
    {
        call.Check();
        ByElement.Run(CenterCall.Name, call.X, new Body(context, call));
    }

    private readonly ref struct Body(GpuContext context, CenterCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.Launch(
                new Work<T> { X = context.View<T>(call.X), Y = context.View<T>(call.Y), Width = call.X.Layout[-1], Accumulate = call.Accumulate ? 1 : 0 },
                checked((int)call.X.Layout.Rows), context.GroupSize);
    }

    public struct Work<T> : IGpuWork<Work<T>>
        where T : unmanaged, IElement<T>
    {
        public ArrayView<T> X, Y;
        public int Width, Accumulate;

        public static void Run(Work<T> w)
        {
            ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
            long row = (long)Grid.IdxX * w.Width;
            float sum = 0;
            for (int i = Group.IdxX; i < w.Width; i += Group.DimX)
            {
                sum += T.Read(w.X[row + i]);
            }

            float mean = GroupReduce.Sum(shared, sum) / w.Width;
            for (int i = Group.IdxX; i < w.Width; i += Group.DimX)
            {
                float value = T.Read(w.X[row + i]) - mean;
                w.Y[row + i] = T.Write(w.Accumulate != 0 ? T.Read(w.Y[row + i]) + value : value);
            }
        }
    }
}
#endif
