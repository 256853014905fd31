using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// Blocks of a cluster: each copies a box to the shared memory of all of them at once, waits for the boxes of all, tells the others that it has read them, and copies again to the same place once
/// all have. What lies in shared memory is written out after both rounds. Elements are their own numbers, so that what comes says where it came from.
/// </summary>
internal static class ClusterProbe
{
    /// <summary>Of a box, and of the matrix, of which each box of each round has its own rows.</summary>
    private const int BoxRows = 8, BoxBytes = BoxRows * PtxWgmma.RowBytes, Columns = TensorMapShape.BoxColumns, Rounds = 2;

    public static IEnumerable<CardCheck> All => new[] { 2, 4 }.Select(cluster => new CardCheck($"cluster-of-{cluster}", 90, device => Run(device, cluster)));

    private static CheckResult Run(ICheckDevice device, int cluster)
    {
        int rows = Rounds * cluster * BoxRows, bytes = cluster * BoxBytes;
        ushort[] numbers = [.. Enumerable.Range(1, rows * Columns).Select(i => (ushort)i)];
        var expected = new byte[Rounds * cluster * bytes];
        for (int at = 0; at < expected.Length / bytes; at++)
        {
            // Of each round each block has the same.
            int round = at / cluster;
            for (int row = 0; row < cluster * BoxRows; row++)
            {
                for (int column = 0; column < Columns; column++)
                {
                    BitConverter.TryWriteBytes(expected.AsSpan(at * bytes + CopyProbe.Place(row, column)), numbers[(round * cluster * BoxRows + row) * Columns + column]);
                }
            }
        }

        long matrix = device.Allocate(2 * numbers.Length), target = device.Allocate(expected.Length);
        device.Write(matrix, MemoryMarshal.AsBytes<ushort>(numbers));
        var arguments = new ProbeArguments { A = device.Map(new TensorMapShape(GpuType.BFloat16, matrix, Columns, rows, 2 * Columns, BoxRows)), Y = target, Watch = device.Watch };
        device.Run(Write(cluster), arguments, cluster);
        var got = new byte[expected.Length];
        device.Read(target, got);
        return new CheckResult(expected, got);
    }

    /// <summary>One warp a block.</summary>
    internal static PtxProgram Write(int cluster)
    {
        int bytes = cluster * BoxBytes, full = bytes, read = bytes + 8;
        PtxWriter w = ProbeArguments.Writer("cluster", 32, cluster);
        Reg shared = w.SharedBase(), lane = w.ThreadX(), rank = w.ClusterRank(), isElected = w.Elect(), blocks = w.AllBlocks(cluster), map = w.TensorMap(ProbeArguments.AtA), x = w.Const(0);
        using (w.When(isElected))
        {
            w.InitBarrier(shared, full, 1);
            w.InitBarrier(shared, read, cluster);
            w.FenceBarrierInit();
        }

        w.MeetCluster();
        Reg own = w.Mad(rank, BoxBytes, shared), target = w.Argument(RegKind.B64, ProbeArguments.AtY), isOther = w.Compare("lt", lane, cluster), other = w.Rem(lane, cluster);
        for (int round = 0; round < Rounds; round++)
        {
            Reg y = w.Mul(w.Add(rank, round * cluster), BoxRows), parity = w.Const(round % 2);
            if (round > 0)
            {
                w.WaitBarrier(shared, read, w.Const((round - 1) % 2), "all blocks to have read");
            }

            using (w.When(isElected))
            {
                w.ArriveExpecting(shared, full, bytes);
                w.LoadTileTo(blocks, own, 0, map, x, y, shared, full);
            }

            w.WaitBarrier(shared, full, parity, "the boxes of all blocks");
            Reg place = w.Mul(w.Add(rank, round * cluster), bytes);
            for (int word = 0; word < bytes / 4; word += 32)
            {
                Reg at = w.Mul(w.Add(lane, word), 4);
                w.StoreGlobal(w.MadWide(w.Add(at, place), 1, target), 0, w.LoadShared(RegKind.B32, w.Add(shared, at)));
            }

            if (round + 1 < Rounds)
            {
                w.WarpBarrier();
                using (w.When(isOther))
                {
                    w.ArriveInCluster(w.SharedOf(shared, other), read);
                }
            }
        }

        w.MeetCluster();
        return w.Finish(read + 8);
    }
}
