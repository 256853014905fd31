using ILGPU;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>
/// Barriers in branches that all threads of a group take, in loops that each begins elsewhere, and after branches with several ways out; values that live across them. Runs of lanes have a row of x [Rows, lanes] each at a time;
/// y [2, lanes] is the sum over rows of x less the row's total, and that of as much times the row's number.
/// </summary>
internal struct BranchSumWork : IGpuWork<BranchSumWork>
{
    public ArrayView<float> X, Y;
    public int Rows, Width, LaneBits, HasTotals, HasSums;

    public static void Run(BranchSumWork w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        ArrayView<SumPair> pairs = SharedMemory.Allocate<SumPair>(GroupReduce.Most);
        int lanes = 1 << w.LaneBits, lane = Group.IdxX & (lanes - 1), runs = Group.DimX >> w.LaneBits;
        SumPair plain = default, numbered = default;
        for (int row = Group.IdxX >> w.LaneBits; row < w.Rows; row += runs)
        {
            float value = w.X[row * lanes + lane];
            if (w.HasTotals != 0)
            {
                value -= SharedSum.Sum(shared, value, lanes);
            }

            plain = new SumPair { First = plain.First + value, Second = plain.Second + 1 };
            numbered = new SumPair { First = numbered.First + row * value, Second = numbered.Second + 1 };
        }

        if (w.HasSums != 0)
        {
            Store(pairs, w.Y, 0, lane, lanes, w.Width, plain);
            Store(pairs, w.Y, lanes, lane, lanes, w.Width, numbered);
        }
    }

    private static void Store(ArrayView<SumPair> shared, ArrayView<float> y, int at, int lane, int lanes, int width, SumPair value)
    {
        Group.Barrier();
        shared[Group.IdxX] = value;
        Group.Barrier();
        if (Group.IdxX < lanes)
        {
            for (int i = Group.IdxX + lanes; i < Group.DimX; i += lanes)
            {
                value = new SumPair { First = value.First + shared[i].First, Second = value.Second + shared[i].Second };
            }

            if (at + lane < width)
            {
                y[at + lane] = value.First + 1000 * value.Second;
            }
        }
    }
}
