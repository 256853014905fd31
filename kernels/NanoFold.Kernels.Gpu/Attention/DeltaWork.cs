using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>
/// What the backward pass reads of every query: delta = Σ y ⊙ dy and the log-sum-exp in bits, both [B, H, RowLength] with rows padded
/// so that tiles end where rows do; after the last query weights come out as 0. Eight threads a row.
/// </summary>
internal struct DeltaWork<T> : IGpuWork<DeltaWork<T>>
    where T : unmanaged, IElement<T>
{
    public const int Across = 8;

    /// <summary>A log-sum-exp above any score.</summary>
    private const float Highest = 1e30f;

    private const float BitsPerNat = 1.44269504f;

    public HeadView<T> Y, DY;
    public ArrayView<float> LogSumExp, Bits, Delta;
    public int Heads, Time, RowLength, Rows;

    public static void Run(DeltaWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int row = Grid.IdxX * (Group.DimX / Across) + Group.IdxX / Across, lane = Group.IdxX % Across;
        int pair = row / w.RowLength, time = row % w.RowLength;
        int batch = pair / w.Heads, head = pair % w.Heads;
        bool isThere = row < w.Rows && time < w.Time;
        float sum = 0;
        if (isThere)
        {
            long y = w.Y.Row(batch, time, head), dy = w.DY.Row(batch, time, head);
            for (int i = lane * 4; i < w.Y.Depth; i += Across * 4)
            {
                Four<float> a = w.Y.Read(y, i), b = w.DY.Read(dy, i);
                sum += a.A * b.A + a.B * b.B + (a.C * b.C + a.D * b.D);
            }
        }

        shared[Group.IdxX] = sum;
        Group.Barrier();
        if (lane == 0 && row < w.Rows)
        {
            sum = 0;
            for (int i = 0; i < Across; i++)
            {
                sum += shared[Group.IdxX + i];
            }

            w.Delta[row] = sum;
            w.Bits[row] = isThere ? w.LogSumExp[(long)pair * w.Time + time] * BitsPerNat : Highest;
        }
    }
}
