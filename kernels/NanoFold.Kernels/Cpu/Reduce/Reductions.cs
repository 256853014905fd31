using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>
/// Sums over the dimensions in which the output has length 1. Where the reduced dimensions lie innermost, rows are summed along themselves
/// (<see cref="RowSums"/>), otherwise columns side by side (<see cref="ColumnSums"/>). Long sums are cut into segments by shape,
/// each with a compensated sum; the segments add up in double, in order. Where an element is infinite the sum is not finite, but may be not a number.
/// </summary>
internal static unsafe class Reductions
{
    /// <summary>Fewer columns than this are summed one by one.</summary>
    private const int LeastColumns = 4;

    public static void Sum(CpuContext context, in View x, in View y, bool accumulate)
    {
        Layout target = x.Layout, broadcast = y.Layout.BroadcastTo(target);
        Nest kept = Nest.Empty(2), reduced = Nest.Empty(1);
        int missing = target.Rank - y.Layout.Rank;
        for (int i = 0; i < target.Rank; i++)
        {
            if (i >= missing && y.Layout[i - missing] == target[i])
            {
                kept.AddDimension(target[i], target.Stride(i), broadcast.Stride(i));
            }
            else
            {
                reduced.AddDimension(target[i], target.Stride(i), 0);
            }
        }

        if (missing == 0 && reduced.Count == 1)
        {
            Map.Run(context, new Unary<Alone>(default), x, y, accumulate);
            return;
        }

        kept.Collapse();
        reduced.Collapse();
        bool columns = kept.Rank > 0 && kept.InnerStride(0) == 1 && kept.Inner >= LeastColumns && reduced.Count > 1;
        if (columns)
        {
            ColumnSums.Run(context, x, y, kept, reduced, accumulate);
        }
        else
        {
            RowSums.Run(context, x, y, kept, reduced, accumulate);
        }
    }

    /// <summary>Adds up the segments' sums, partial[segment, output], and writes the outputs.</summary>
    public static void Combine(CpuContext context, in View y, in Nest kept, double* partial, long segments, bool accumulate)
    {
        var work = new CombineWork { Y = y.Address, Type = y.Type, Kept = kept, Partial = partial, Outputs = kept.Count, Segments = segments, Accumulate = accumulate };
        long items = (work.Outputs + CombineWork.OutputsPerItem - 1) / CombineWork.OutputsPerItem;
        context.Run(ref work, items, work.Outputs * segments >= Map.SmallElements);
    }

    /// <summary>Writes one output.</summary>
    public static void Write(void* y, DType type, long offset, double sum, bool accumulate)
    {
        if (type == DType.Float64)
        {
            double* target = (double*)y + offset;
            *target = accumulate ? *target + sum : sum;
        }
        else
        {
            float* target = (float*)y + offset;
            *target = accumulate ? *target + (float)sum : (float)sum;
        }
    }

    /// <summary>A sum of one: that of 0 and it, so that no sum is −0.</summary>
    private readonly struct Alone : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => x + V.Constant(0);
    }

    private struct CombineWork : IWork
    {
        public const int OutputsPerItem = 512;

        public void* Y;
        public DType Type;
        public Nest Kept;
        public double* Partial;
        public long Outputs;
        public long Segments;
        public bool Accumulate;

        public readonly void Invoke(long item, int worker)
        {
            long first = item * OutputsPerItem;
            long end = Math.Min(Outputs, first + OutputsPerItem);
            double* sums = stackalloc double[OutputsPerItem];
            new Span<double>(sums, (int)(end - first)).Clear();
            for (long s = 0; s < Segments; s++)
            {
                double* partial = Partial + s * Outputs;
                for (long o = first; o < end; o++)
                {
                    sums[o - first] += partial[o];
                }
            }

            for (long o = first; o < end; o++)
            {
                Write(Y, Type, Kept.ElementOffset(1, o), sums[o - first], Accumulate);
            }
        }
    }
}
