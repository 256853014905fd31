using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// Sums in memory by tensor maps: several blocks add boxes of floats to one matrix, each block two of them from the same place in shared memory. Values are small integers, of which every sum is
/// exact in whatever order they come; a box at an edge shows that what lies outside is left alone.
/// </summary>
internal static class SumProbe
{
    private const int Rows = 20, Columns = 40, RowBytes = 4 * Columns, BoxRows = 16, BoxColumns = PtxWgmma.RowBytes / 4, BoxBytes = BoxRows * PtxWgmma.RowBytes, Blocks = 3, Rounds = 2;

    public static IEnumerable<CardCheck> All => new[] { (X: 0, Y: 0), (X: 16, Y: 8) }.Select(at => new CardCheck($"box-sum-at-{at.X}-{at.Y}", 90, device => Run(device, at.X, at.Y)));

    private static CheckResult Run(ICheckDevice device, int x, int y)
    {
        float[] before = [.. Enumerable.Range(0, Rows * Columns).Select(i => (float)i)];
        float[] expected = [.. before];
        for (int row = 0; row < BoxRows && y + row < Rows; row++)
        {
            for (int column = 0; column < BoxColumns && x + column < Columns; column++)
            {
                // Words of shared memory hold their own numbers, those of the second round one more.
                int place = (row * PtxWgmma.RowBytes + ((column / 4 ^ row % 8) * 4 + column % 4) * 4) / 4;
                expected[(y + row) * Columns + x + column] += Blocks * (Rounds * place + 1);
            }
        }

        long matrix = device.Allocate(4 * before.Length);
        device.Write(matrix, MemoryMarshal.AsBytes<float>(before));
        var arguments = new ProbeArguments { A = device.Map(new TensorMapShape(GpuType.Float32, matrix, Columns, Rows, RowBytes, BoxRows)), Watch = device.Watch, X = x, RowOfX = y };
        device.Run(Write(), arguments, Blocks);
        var got = new byte[4 * expected.Length];
        device.Read(matrix, got);
        return new CheckResult(MemoryMarshal.AsBytes<float>(expected).ToArray(), got);
    }

    /// <summary>Two warps a block, of which one lane asks for the sums.</summary>
    internal static PtxProgram Write()
    {
        const int Threads = 64;
        PtxWriter w = ProbeArguments.Writer("box_sum", Threads);
        Reg shared = w.SharedBase(), thread = w.ThreadX(), isFirst = w.Compare("eq", thread, 0), map = w.TensorMap(ProbeArguments.AtA);
        Reg x = w.Argument(RegKind.B32, ProbeArguments.AtX), y = w.Argument(RegKind.B32, ProbeArguments.AtX + 4);
        for (int round = 0; round < Rounds; round++)
        {
            if (round > 0)
            {
                using (w.When(isFirst))
                {
                    w.WaitStoresRead();
                }

                w.Barrier();
            }

            for (int word = 0; word < BoxBytes / 4; word += Threads)
            {
                Reg at = w.Add(thread, word);
                w.StoreShared(w.Mad(at, 4, shared), 0, w.Op(RegKind.F32, "cvt.rn.f32.s32", w.Add(at, round)));
            }

            w.FenceAsync();
            w.Barrier();
            using (w.When(isFirst))
            {
                w.AddTile(map, x, y, shared, 0);
                w.CommitStores();
            }
        }

        using (w.When(isFirst))
        {
            w.WaitStores();
        }

        return w.Finish(BoxBytes);
    }
}
