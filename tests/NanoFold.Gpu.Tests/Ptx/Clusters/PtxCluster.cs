using NanoFold.Gpu.Tests.Ptx.Blocks;

namespace NanoFold.Gpu.Tests.Ptx.Clusters;

/// <summary>
/// Blocks that start together and reach into each other's shared memory. An address there is the block's number in the cluster (its rank) in the upper 8 bits, and the place in the lower 24;
/// a block's own addresses have its rank too.
/// </summary>
internal sealed class PtxCluster
{
    private const int RankShift = 24;

    public PtxCluster(PtxMachine machine, int number)
    {
        int size = machine.Program.Cluster;
        Number = number;
        Blocks = [.. Enumerable.Range(0, size).Select(rank => new PtxBlock(machine, number * size + rank, this, rank))];
        Barrier = new ClusterBarrier(Blocks);
    }

    /// <summary>In the grid.</summary>
    public int Number { get; }

    public PtxBlock[] Blocks { get; }

    public ClusterBarrier Barrier { get; }

    /// <summary>The address of a place in a block's shared memory.</summary>
    public static ulong Address(int rank, ulong place) => (ulong)rank << RankShift | Place(place);

    public static int Rank(ulong address) => (int)(address >> RankShift);

    public static ulong Place(ulong address) => address & ((1UL << RankShift) - 1);

    /// <summary>A block into whose shared memory another one reaches: it must not have ended.</summary>
    public PtxBlock Reach(int rank, PtxBlock from)
    {
        if (rank < 0 || rank >= Blocks.Length)
        {
            throw new InvalidOperationException($"there is no block {rank} in a cluster of {Blocks.Length}");
        }

        PtxBlock block = Blocks[rank];
        if (block != from && block.IsDone)
        {
            throw new InvalidOperationException($"block {rank} of the cluster has ended, and block {from.Rank} reaches into its shared memory");
        }

        return block;
    }
}
