namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>
/// Clusters of blocks (compute capability 9.0 and above), which start together and reach into each other's shared memory. A block's place in its cluster is its rank. Before the first
/// reach all must have met, and none may end before the last: <see cref="MeetCluster"/> stands at both ends of a kernel.
/// </summary>
/// <remarks>A block's own addresses of shared memory may have its rank above their lower 24 bits: <see cref="PtxWgmma.Descriptor"/> takes what it needs of them.</remarks>
internal static class PtxClusters
{
    public static Reg ClusterRank(this PtxWriter w)
    {
        Reg rank = w.New(RegKind.B32);
        w.Emit($"mov.u32 {rank}, %cluster_ctarank");
        return rank;
    }

    /// <summary>All threads of the cluster's blocks meet, and see what the others wrote to shared memory before.</summary>
    public static void MeetCluster(this PtxWriter w)
    {
        w.Emit("barrier.cluster.arrive.release.aligned");
        w.Emit("barrier.cluster.wait.acquire.aligned");
    }

    /// <summary>The address of the same place in the shared memory of the cluster's block of that rank.</summary>
    public static Reg SharedOf(this PtxWriter w, Reg address, Operand rank) => w.Op(RegKind.B32, "mapa.shared::cluster.u32", address, rank);

    /// <summary>Arrives at a barrier of any block of the cluster, at an address of <see cref="SharedOf"/>.</summary>
    public static void ArriveInCluster(this PtxWriter w, Reg barrier, int offset) => w.Emit($"mbarrier.arrive.release.cluster.shared::cluster.b64 _, [{barrier}+{offset}]");

    /// <summary>
    /// As <see cref="PtxHopper.LoadTile(PtxWriter, Reg, int, Reg, Reg, Reg, Reg, int)"/>, to the same place in each block of the cluster of which the mask has a bit; each block's own barrier at
    /// that offset counts the bytes that come to it.
    /// </summary>
    /// <param name="blocks">16 bits, one a rank.</param>
    public static void LoadTileTo(this PtxWriter w, Reg blocks, Reg shared, int offset, Reg map, Reg x, Reg y, Reg barrier, int barrierOffset)
        => w.Emit($"cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [{shared}+{offset}], [{map}, {{{x}, {y}}}], [{barrier}+{barrierOffset}], {blocks}");

    /// <summary>A mask with the bits of all ranks below a number.</summary>
    public static Reg AllBlocks(this PtxWriter w, int cluster)
    {
        Reg mask = w.New(RegKind.B16);
        w.Set(mask, (1 << cluster) - 1);
        return mask;
    }
}
