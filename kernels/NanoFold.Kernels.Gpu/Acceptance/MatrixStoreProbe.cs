using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>stmatrix: every lane stores numbers of its own, and shared memory is written out as it lies.</summary>
internal static class MatrixStoreProbe
{
    private const int Bytes = 4 * 8 * 16;

    public static IEnumerable<CardCheck> All => [new CardCheck("matrix-store", 90, Run)];

    private static CheckResult Run(ICheckDevice device)
    {
        var expected = new byte[Bytes];
        for (int matrix = 0; matrix < 4; matrix++)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                // A lane has of each matrix two elements of row lane / 4; rows come in the reverse order here.
                int row = 31 - (8 * matrix + lane / 4), at = 16 * row + 4 * (lane % 4);
                BitConverter.TryWriteBytes(expected.AsSpan(at), (ushort)Number(matrix, lane, 0));
                BitConverter.TryWriteBytes(expected.AsSpan(at + 2), (ushort)Number(matrix, lane, 1));
            }
        }

        long target = device.Allocate(Bytes);
        PtxWriter w = ProbeArguments.Writer("matrix_store", 32);
        Reg shared = w.SharedBase(), lane32 = w.ThreadX();
        Reg[] values = [.. Enumerable.Range(0, 4).Select(m => w.Or(w.Shl(w.Add(lane32, Number(m, 0, 1)), 16), w.Add(lane32, Number(m, 0, 0))))];
        w.StoreMatrix(w.Mad(w.Xor(lane32, 31), 16, shared), 0, values);
        SharedDump.Write(w, shared, Bytes, 32);
        device.Run(w.Finish(Bytes), new ProbeArguments { Y = target, Watch = device.Watch }, 1);
        var got = new byte[Bytes];
        device.Read(target, got);
        return new CheckResult(expected, got);
    }

    private static int Number(int matrix, int lane, int element) => 1000 * matrix + 100 * element + lane;
}
