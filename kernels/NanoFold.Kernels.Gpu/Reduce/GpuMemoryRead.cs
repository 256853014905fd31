using ILGPU;
using ILGPU.Runtime;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Reads a GPU's memory as fast as it comes, and waits for it.</summary>
internal sealed class GpuMemoryRead(GpuContext context) : IMemoryRead
{
    private const string Op = "memory read";
    private const int MostGroups = 4096;
    private const int ElementsPerThread = 16;

    // Pinned: ILGPU's copies keep the address only.
    private readonly double[] _sums = GC.AllocateArray<double>(MostGroups, pinned: true);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Not real, not contiguous, or outside its buffer.</exception>
    public double Read(in View x)
    {
        Checks.Real(Op, "x", x);
        if (!x.Layout.IsContiguous)
        {
            Checks.Throw(Op, $"x is {x} with strides; expected it contiguous");
        }

        int perGroup = ElementsPerThread * context.GroupSize;
        int groups = (int)Math.Min(MostGroups, (x.Count + perGroup - 1) / perGroup);
        ArrayView<double> sums = context.Scratch(groups * sizeof(double)).Cast<double>();
        ByElement.Run(Op, x, new Body(context, x, sums));
        Span<double> values = _sums.AsSpan(0, groups);
        sums.CopyToCPU(context.Stream, values);
        context.Stream.Synchronize();
        double sum = 0;
        foreach (double value in values)
        {
            sum += value;
        }

        return sum;
    }

    private readonly struct Body(GpuContext context, View x, ArrayView<double> sums) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => context.Launch(
                new ReadSumWork<T> { X = context.View<T>(x), Sums = sums, Count = x.Count, Whole = WholePiece.Elements(x, x.Count) }, sums.Length, context.GroupSize);
    }
}
