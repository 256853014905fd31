using System.Numerics;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>
/// Sums over the dimensions in which y has length 1, always in single precision. Along rows a group each, across columns side by side; where there are
/// few outputs the sums are cut into segments, by shape, whose sums are added in order by a second launch.
/// </summary>
internal sealed class GpuReduce(GpuContext context)
{
    /// <summary>Sums of this many elements are left to one thread.</summary>
    private const int Short = 32;

    /// <summary>Groups that sums are cut into where outputs alone do not make as many.</summary>
    private const int WantedGroups = 1024;

    /// <summary>Elements that a thread of a segment adds up at least.</summary>
    private const int LeastOfThread = 8;

    private const int ThreadsSideBySide = 32;

    public void Sum(in View x, in View y, bool accumulate)
    {
        // Of one term each: what broadcasting to the same shape has as its gradient.
        bool isCopy = x.Type == y.Type && x.Layout.SameShape(y.Layout);
        if (!isCopy || context.VectorMap?.TryRun(default(Identity), x, x, x, y, accumulate, y, false) != true)
        {
            ByElement.Run("sum", x, new Body(this, x, y, accumulate));
        }
    }

    private void Sum<T>(in View x, in View y, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        Layout kept = x.Layout, reduced = x.Layout;
        int missing = x.Layout.Rank - y.Layout.Rank;
        long keptStep = long.MaxValue, reducedStep = long.MaxValue;
        for (int axis = 0; axis < x.Layout.Rank; axis++)
        {
            long step = x.Layout[axis] == 1 || x.Layout.Stride(axis) == 0 ? long.MaxValue : x.Layout.Stride(axis);
            if (axis >= missing && y.Layout[axis - missing] == x.Layout[axis])
            {
                reduced = reduced.Slice(axis, 0, 1, out _);
                keptStep = Math.Min(keptStep, step);
            }
            else
            {
                kept = kept.Slice(axis, 0, 1, out _);
                reducedStep = Math.Min(reducedStep, step);
            }
        }

        var target = new SumTarget { Kept = Nest.Of(y.Layout.BroadcastTo(kept), kept), Y = context.View<F32>(y), Partial = context.View<float>(default), Segments = 1, Accumulate = accumulate ? 1 : 0 };
        Nest sum = Nest.Of(reduced);
        if (sum.Count <= Short)
        {
            context.LaunchThreads(new SerialSumWork<T> { X = context.View<T>(x), Reduced = sum, Target = target }, target.Kept.Count);
        }
        else if (target.Kept.Count == 1 || reducedStep <= keptStep)
        {
            Rows<T>(x, sum, target);
        }
        else
        {
            Columns<T>(x, sum, target);
        }
    }

    private void Rows<T>(in View x, in Nest sum, SumTarget target)
        where T : unmanaged, IElement<T>
    {
        int threads = Math.Min(context.GroupSize, Math.Max(32, (int)BitOperations.RoundUpToPowerOf2((uint)(sum.Count + 3) / 4)));
        int outputs = target.Kept.Count, length = Cut(sum.Count, threads, outputs, ref target);
        context.Launch(
            new RowSumWork<T> { X = context.View<T>(x), Reduced = sum, SegmentLength = length, Target = target }, outputs, target.Segments, 1, threads);
        Combine(target);
    }

    private void Columns<T>(in View x, in Nest sum, SumTarget target)
        where T : unmanaged, IElement<T>
    {
        bool isFour = Vectors.HasFlatRows(x) && target.Kept.Count % 4 == 0;
        int units = isFour ? target.Kept.Count / 4 : target.Kept.Count;
        int columns = Math.Min(Math.Min(ThreadsSideBySide, context.GroupSize / 4), (int)BitOperations.RoundUpToPowerOf2((uint)units));
        int blocks = (units + columns - 1) / columns, length = Cut(sum.Count, context.GroupSize / columns, blocks, ref target);
        if (isFour)
        {
            context.Launch(
                new FourColumnSumWork<T> { X = Vectors.Of<T>(context, x), Reduced = sum, SegmentLength = length, Columns = columns, Target = target },
                blocks, target.Segments, 1, context.GroupSize);
        }
        else
        {
            context.Launch(
                new ColumnSumWork<T> { X = context.View<T>(x), Reduced = sum, SegmentLength = length, Columns = columns, Target = target },
                blocks, target.Segments, 1, context.GroupSize);
        }

        Combine(target);
    }

    /// <summary>Cuts sums of <paramref name="count"/> elements into segments; the length of one.</summary>
    private int Cut(int count, int threads, int groups, ref SumTarget target)
    {
        int segments = Math.Clamp(WantedGroups / groups, 1, Math.Max(1, count / (threads * LeastOfThread)));
        int length = (count + segments - 1) / segments;
        target.Segments = (count + length - 1) / length;
        if (target.Segments > 1)
        {
            long sums = (long)target.Segments * target.Kept.Count;
            target.Partial = context.Scratch(sums * sizeof(float)).Cast<float>();
        }

        return length;
    }

    private void Combine(in SumTarget target)
    {
        if (target.Segments > 1)
        {
            context.LaunchThreads(new CombineSumsWork { Target = target }, target.Kept.Count);
        }
    }

    private readonly struct Body(GpuReduce reduce, View x, View y, bool accumulate) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => reduce.Sum<T>(x, y, accumulate);
    }
}
