using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>y = x bit by bit, contiguous, in units of 16 bytes; where there are many, a thread has four of them under way at a time.</summary>
internal struct FlatMoveWork : IGpuWork<FlatMoveWork>
{
    public const int UnitBytes = 16;

    /// <summary>Groups up to which each thread has one unit only: few units are best spread over the device.</summary>
    private const int FewGroups = 512;

    public ArrayView<Four<int>> X, Y;
    public int Units;

    public static void Run(FlatMoveWork w)
    {
        long step = (long)Grid.DimX * Group.DimX, i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        for (; i + 3 * step < w.Units; i += 4 * step)
        {
            Four<int> a = w.X[i], b = w.X[i + step], c = w.X[i + 2 * step], d = w.X[i + 3 * step];
            w.Y[i] = a;
            w.Y[i + step] = b;
            w.Y[i + 2 * step] = c;
            w.Y[i + 3 * step] = d;
        }

        for (; i < w.Units; i += step)
        {
            w.Y[i] = w.X[i];
        }
    }

    public static int Groups(int units, int threads)
    {
        int single = (int)(((long)units + threads - 1) / threads);
        return Math.Max(Math.Min(single, FewGroups), (single + 3) / 4);
    }
}
