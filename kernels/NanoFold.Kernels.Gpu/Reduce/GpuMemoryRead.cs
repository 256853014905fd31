using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Reads a GPU's memory as fast as it comes.</summary>
internal sealed class GpuMemoryRead(GpuContext context) : IKernel<MemoryReadCall>
{
    private const int MostGroups = 4096;
    private const int ElementsPerThread = 16;

    /// <exception cref="ArgumentException">Not real, not contiguous, or outside its buffer.</exception>
    public void Run(in MemoryReadCall call)
    {
        call.Check();
        View x = call.X;
        int perGroup = ElementsPerThread * context.GroupSize;
        int groups = (int)Math.Min(MostGroups, (x.Count + perGroup - 1) / perGroup);
        ArrayView<double> sums = context.Scratch(groups * sizeof(double)).Cast<double>();
        ByElement.Run(MemoryReadCall.Name, x, new Body(context, x, sums));

        context.Launch(new AddReadSumsWork { Sums = sums, Sum = context.View<float>(call.Sum), Count = groups }, 1, context.GroupSize);
    }

    private readonly struct Body(GpuContext context, View x, ArrayView<double> sums) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.Launch(
                new ReadSumWork<T> { X = context.View<T>(x), Sums = sums, Count = x.Count, Whole = WholePiece.Elements(x, x.Count) },
                sums.Length, context.GroupSize);
    }
}
