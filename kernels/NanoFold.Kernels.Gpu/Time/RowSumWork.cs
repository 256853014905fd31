using ILGPU;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>Adds the rows' sums to the gradients of parameters, in their order: an element a thread.</summary>
internal struct RowSumWork : IGpuWork<RowSumWork>
{
    public ArrayView<float> Parts, Target;
    public int Threads, Rows;

    /// <summary>target += Σ over rows of parts [rows, target]; nothing for none.</summary>
    public static void Add(GpuContext context, ArrayView<float> parts, in View target, int rows)
    {
        if (!target.IsNone)
        {
            int threads = checked((int)target.Count);
            context.LaunchThreads(
                new RowSumWork { Parts = parts, Target = context.View<float>(target), Threads = threads, Rows = rows },
                threads);
        }
    }

    public static void Run(RowSumWork w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        float sum = 0;
        for (int row = 0; row < w.Rows; row++)
        {
            sum += w.Parts[(long)row * w.Threads + thread];
        }

        w.Target[thread] += sum;
    }
}
