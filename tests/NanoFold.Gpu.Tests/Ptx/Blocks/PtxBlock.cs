using NanoFold.Gpu.Tests.Ptx.Clusters;
using NanoFold.Gpu.Tests.Ptx.Hopper;

namespace NanoFold.Gpu.Tests.Ptx.Blocks;

/// <summary>A block that has started: its warps, its shared memory, which begins spoilt, its barriers, and its work in the background.</summary>
internal sealed class PtxBlock
{
    public PtxBlock(PtxMachine machine, int number, PtxCluster cluster, int rank)
    {
        (Cluster, Rank) = (cluster, rank);
        int[] grid = machine.GridSize;
        int threads = machine.Program.Threads;
        (Number, Index) = (number, [number % grid[0], number / grid[0] % grid[1], number / (grid[0] * grid[1])]);
        Shared = machine.SpoiltMemory();
        Warps = new PtxWarp[threads / 32];
        for (int i = 0; i < Warps.Length; i++)
        {
            Warps[i] = new PtxWarp(machine.Text.Registers, 32 * i) { Block = this };
        }

        Barriers = new NamedBarriers(Warps);
        Async = new AsyncBlock(machine, Warps);
    }

    /// <summary>In the grid, and by axis.</summary>
    public int Number { get; }

    public int[] Index { get; }

    /// <summary>What it started with.</summary>
    public PtxCluster Cluster { get; }

    /// <summary>In the cluster.</summary>
    public int Rank { get; }

    public byte[] Shared { get; }

    public PtxWarp[] Warps { get; }

    public NamedBarriers Barriers { get; }

    public AsyncBlock Async { get; }

    public bool IsDone => Array.TrueForAll(Warps, w => w.Live == 0);
}
