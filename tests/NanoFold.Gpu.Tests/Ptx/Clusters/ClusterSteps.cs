using NanoFold.Gpu.Tests.Ptx.Hopper;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx.Clusters;

/// <summary>mapa, barrier.cluster, and arrivals at barriers of other blocks of the cluster.</summary>
internal static class ClusterSteps
{
    public static Action<PtxWarp> Decode(PtxMachine machine, Instruction i) => i.Opcode switch
    {
        "mapa.shared::cluster.u32" => w => Map(machine, w, i),
        "barrier.cluster.arrive.release.aligned" => w =>
        {
            PtxTensorSteps.Whole(w);
            w.Block.Cluster.Barrier.Arrive(w, machine.Races);
        },
        "barrier.cluster.wait.acquire.aligned" => w =>
        {
            PtxTensorSteps.Whole(w);
            w.Block.Cluster.Barrier.Wait(w);
        },
        "mbarrier.arrive.release.cluster.shared::cluster.b64" => w => Arrive(machine, w, i.Operands[1][0]),
        _ => throw new NotSupportedException(i.Opcode),
    };

    private static void Map(PtxMachine machine, PtxWarp w, Instruction i)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            if (!w.Runs(lane))
            {
                continue;
            }

            int rank = (int)PtxDecoder.Value(w, i.Operands[2][0], lane);
            if (rank < 0 || rank >= machine.Program.Cluster)
            {
                throw new InvalidOperationException($"there is no block {rank} in a cluster of {machine.Program.Cluster}");
            }

            w[i.Operands[0][0].Register, lane] = PtxCluster.Address(rank, PtxDecoder.Value(w, i.Operands[1][0], lane));
        }
    }

    private static void Arrive(PtxMachine machine, PtxWarp w, Arg address)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            if (w.Runs(lane))
            {
                (Blocks.PtxBlock block, int at) = machine.Reach(w, w[address.Register, lane] + (ulong)address.Number, 8);
                Mbarrier barrier = block.Async.Mbarrier(at);
                if (block != w.Block)
                {
                    barrier.SeeOthers();
                }

                barrier.Arrive();
            }
        }
    }
}
