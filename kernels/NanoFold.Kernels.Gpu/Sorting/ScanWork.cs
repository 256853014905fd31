using ILGPU;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Sorting;

/// <summary>x[i] = Σ x[j] over j &lt; i in place, by one group; four elements a thread at a time.</summary>
internal struct ScanWork : IGpuWork<ScanWork>
{
    public ArrayView<int> X;
    public int Count;

    public static void Run(ScanWork w)
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(GroupReduce.Most);
        int thread = Group.IdxX, threads = Group.DimX, before = 0;
        for (int first = 0; first < w.Count; first += 4 * threads)
        {
            int at = first + 4 * thread;
            int x0 = Read(w, at), x1 = Read(w, at + 1), x2 = Read(w, at + 2), x3 = Read(w, at + 3), own = x0 + x1 + x2 + x3;
            shared[thread] = own;
            Group.Barrier();
            for (int step = 1; step < threads; step <<= 1)
            {
                int left = thread >= step ? shared[thread - step] : 0;
                Group.Barrier();
                shared[thread] += left;
                Group.Barrier();
            }

            int sum = before + shared[thread] - own;
            before += shared[threads - 1];
            Group.Barrier();
            Write(w, at, sum);
            Write(w, at + 1, sum + x0);
            Write(w, at + 2, sum + x0 + x1);
            Write(w, at + 3, sum + x0 + x1 + x2);
        }
    }

    private static int Read(in ScanWork w, int i) => i < w.Count ? w.X[i] : 0;

    private static void Write(in ScanWork w, int i, int value)
    {
        if (i < w.Count)
        {
            w.X[i] = value;
        }
    }
}
