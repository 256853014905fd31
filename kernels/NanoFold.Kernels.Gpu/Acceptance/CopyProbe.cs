using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// Copies of boxes by tensor maps: elements of a matrix are their own numbers, a box of it comes to shared memory, and that is written out byte for byte, so that what comes is the
/// layout itself; and the other way. Boxes at an edge show that what lies outside is zero, and is not written.
/// </summary>
internal static class CopyProbe
{
    private const int Rows = 100, Columns = 88, RowBytes = 2 * Columns, Poison = 255;

    public static IEnumerable<CardCheck> All =>
        from isLoad in new[] { true, false }
        from boxRows in isLoad ? new[] { 64, 128, 256 } : [64]
        from at in new[] { (X: 0, Y: 0), (X: 64, Y: 32), (X: 24, Y: 93) }
        select new CardCheck($"box-{(isLoad ? "load" : "store")}-{boxRows}-at-{at.X}-{at.Y}", 90, device => isLoad ? Load(device, boxRows, at.X, at.Y) : Store(device, boxRows, at.X, at.Y));

    /// <summary>Where an element of a box lies in shared memory: 16-byte chunks of a row are numbered crossed with the row's number (mod 8).</summary>
    public static int Place(int row, int column) => row * PtxWgmma.RowBytes + ((column / 8 ^ row % 8) * 8 + column % 8) * 2;

    private static CheckResult Load(ICheckDevice device, int boxRows, int x, int y)
    {
        int bytes = boxRows * PtxWgmma.RowBytes;
        ushort[] numbers = Numbers();
        var expected = new byte[bytes];
        ForEachElement(boxRows, x, y, (row, column, isInside) => BitConverter.TryWriteBytes(expected.AsSpan(Place(row, column)), isInside ? numbers[(y + row) * Columns + x + column] : (ushort)0));

        long matrix = device.Allocate(Rows * RowBytes), target = device.Allocate(bytes);
        device.Write(matrix, MemoryMarshal.AsBytes<ushort>(numbers));
        PtxWriter w = ProbeArguments.Writer("box_load", 32);
        (Reg shared, Reg isElected, Reg parity) = Begin(w, bytes);
        using (w.When(isElected))
        {
            w.ArriveExpecting(shared, bytes, bytes);
        }

        (Reg column, Reg row) = At(w);
        Reg map = w.TensorMap(ProbeArguments.AtA);
        using (w.When(isElected))
        {
            w.LoadTile(shared, 0, map, column, row, shared, bytes);
        }

        w.WaitBarrier(shared, bytes, parity, "the box");
        SharedDump.Write(w, shared, bytes, 32);
        return Run(device, w.Finish(bytes + 8), matrix, boxRows, x, y, target, expected);
    }

    private static CheckResult Store(ICheckDevice device, int boxRows, int x, int y)
    {
        int bytes = boxRows * PtxWgmma.RowBytes;
        var expected = new byte[Rows * RowBytes];
        Array.Fill(expected, (byte)Poison);
        ForEachElement(boxRows, x, y, (row, column, isInside) =>
        {
            if (isInside)
            {
                // Shared memory holds the numbers of its own elements.
                BitConverter.TryWriteBytes(expected.AsSpan(((y + row) * Columns + x + column) * 2), (ushort)(Place(row, column) / 2));
            }
        });

        long matrix = device.Allocate(Rows * RowBytes);
        PtxWriter w = ProbeArguments.Writer("box_store", 32);
        (Reg shared, Reg isElected, _) = Begin(w, bytes);
        Reg thread = w.ThreadX();
        for (int i = 0; i < bytes / 4 / 32; i++)
        {
            Reg word = w.Add(thread, 32 * i), first = w.Mul(word, 2);
            w.StoreShared(w.Mad(word, 4, shared), 0, w.Or(w.Shl(w.Add(first, 1), 16), first));
        }

        w.FenceAsync();
        w.WarpBarrier();
        (Reg column, Reg row) = At(w);
        Reg map = w.TensorMap(ProbeArguments.AtA);
        using (w.When(isElected))
        {
            w.StoreTile(map, column, row, shared, 0);
            w.CommitStores();
            w.WaitStores();
        }

        return Run(device, w.Finish(bytes + 8), matrix, boxRows, x, y, matrix, expected);
    }

    private static CheckResult Run(ICheckDevice device, PtxProgram program, long matrix, int boxRows, int x, int y, long target, byte[] expected)
    {
        var arguments = new ProbeArguments { A = device.Map(new TensorMapShape(GpuType.BFloat16, matrix, Columns, Rows, RowBytes, boxRows)), Y = target, Watch = device.Watch, X = x, RowOfX = y };
        device.Run(program, arguments, 1);
        var got = new byte[expected.Length];
        device.Read(target, got);
        return new CheckResult(expected, got);
    }

    private static (Reg Shared, Reg IsElected, Reg Parity) Begin(PtxWriter w, int bytes)
    {
        Reg shared = w.SharedBase(), isElected = w.Elect(), parity = w.Const(0);
        using (w.When(isElected))
        {
            w.InitBarrier(shared, bytes, 1);
            w.FenceBarrierInit();
        }

        w.Barrier();
        return (shared, isElected, parity);
    }

    private static (Reg X, Reg Y) At(PtxWriter w) => (w.Argument(RegKind.B32, ProbeArguments.AtX), w.Argument(RegKind.B32, ProbeArguments.AtX + 4));

    // Below what would be no number in bf16 or f16: the maps' zeros outside are of a type of floats.
    private static ushort[] Numbers() => [.. Enumerable.Range(1, Rows * Columns).Select(i => (ushort)i)];

    private static void ForEachElement(int boxRows, int x, int y, Action<int, int, bool> use)
    {
        for (int row = 0; row < boxRows; row++)
        {
            for (int column = 0; column < TensorMapShape.BoxColumns; column++)
            {
                use(row, column, y + row < Rows && x + column < Columns);
            }
        }
    }
}
