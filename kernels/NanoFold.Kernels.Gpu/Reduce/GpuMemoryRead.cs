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
        GpuChecks.NotDouble(Op, x);
        if (!x.Layout.IsContiguous)
        {
            Checks.Throw(Op, $"x is {x} with strides; expected it contiguous");
        }

        int perGroup = ElementsPerThread * context.GroupSize;
        int groups = (int)Math.Min(MostGroups, (x.Count + perGroup - 1) / perGroup);
        ArrayView<double> sums = context.Scratch(groups * sizeof(double)).Cast<double>();
        switch (x.Type)
        {
            case DType.BFloat16:
                Read<BF16>(x, sums);
                break;
            case DType.Float16:
                Read<F16>(x, sums);
                break;
            default:
                Read<F32>(x, sums);
                break;
        }

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

    private void Read<T>(in View x, ArrayView<double> sums)
        where T : unmanaged, IElement<T>
        => context.Launch(
            new ReadSumWork<T> { X = context.View<T>(x), Sums = sums, Count = x.Count, Whole = WholePiece.Elements(x, x.Count) },
            sums.Length, context.GroupSize);
}
