using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Optimizers;

/// <summary>Σ x² of a contiguous tensor in double: by blocks cut by the count, then the blocks in their order.</summary>
internal sealed unsafe class SquareSum(CpuContext context)
{
    private const int MostBlocks = 1024;
    private const int ElementsPerBlock = 16384;

    // Pinned once: the sums of the blocks, at most one page or two.
    private readonly double[] _partials = GC.AllocateArray<double>(MostBlocks, pinned: true);

    public double Of(in View x)
    {
        long count = x.Count;
        long perBlock = Math.Max(ElementsPerBlock, (count + MostBlocks - 1) / MostBlocks);
        long blocks = RowBlocks.Items(count, perBlock);
        fixed (double* partials = _partials)
        {
            var work = new Work { X = (byte*)x.Address, Partials = partials, Count = count, PerBlock = perBlock };
            context.Run(x.Type, blocks, ref work);
        }

        double sum = 0;
        for (int i = 0; i < blocks; i++)
        {
            sum += _partials[i];
        }

        return sum;
    }

    private struct Work : ILaneWork
    {
        public byte* X;
        public double* Partials;
        public long Count;
        public long PerBlock;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            long start = item * PerBlock;
            Partials[item] = LaneSum.Of<LaneSum.Square, V>(X + start * V.Type.Size(), null, null, default, (nint)Math.Min(PerBlock, Count - start));
        }
    }
}
