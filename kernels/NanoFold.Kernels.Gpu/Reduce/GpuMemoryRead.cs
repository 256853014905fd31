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
                new ReadSumWork<T> { X = context.View<T>(x), Sums = sums, Count = x.Count, Whole = AlignedPiece.Elements(x, x.Count) },
                sums.Length, context.GroupSize);
    }
}

/// <summary>Σ x of contiguous memory, one double a group; four loads of a thread are under way at a time.</summary>
internal struct ReadSumWork<T> : IGpuWork<ReadSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X;
    public ArrayView<double> Sums;

    /// <summary>Elements, and how many of them are aligned pieces.</summary>
    public long Count, Whole;

    public static void Run(ReadSumWork<T> w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        long threads = (long)Grid.DimX * Group.DimX, thread = (long)Grid.IdxX * Group.DimX + Group.IdxX, step = 4 * threads, at = 4 * thread;
        for (; at + 3 * step < w.Whole; at += 4 * step)
        {
            Float4 a = AlignedPiece.Load(w.X, at), b = AlignedPiece.Load(w.X, at + step);
            Float4 c = AlignedPiece.Load(w.X, at + 2 * step), d = AlignedPiece.Load(w.X, at + 3 * step);
            sum += Float4.Sum(a + b + (c + d));
        }

        for (; at < w.Whole; at += step)
        {
            sum += Float4.Sum(AlignedPiece.Load(w.X, at));
        }

        for (at = w.Whole + thread; at < w.Count; at += threads)
        {
            sum += T.Read(w.X[at]);
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            w.Sums[Grid.IdxX] = sum;
        }
    }
}

/// <summary>Adds the groups' sums up, by one group.</summary>
internal struct AddReadSumsWork : IGpuWork<AddReadSumsWork>
{
    public ArrayView<double> Sums;
    public ArrayView<float> Sum;
    public int Count;

    public static void Run(AddReadSumsWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        for (int i = Group.IdxX; i < w.Count; i += Group.DimX)
        {
            sum += w.Sums[i];
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            w.Sum[0] = (float)sum;
        }
    }
}
