using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>Copies of boxes by a tensor map, to shared memory (counted by an mbarrier) and from it (in groups of the thread that asks).</summary>
internal static unsafe class BulkSteps
{
    private const int RowBytes = 128;

    public static Action<PtxWarp> Decode(PtxMachine machine, Instruction i) => i.Opcode switch
    {
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes" or "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes" => w => Load(machine, w, i),
        "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group" or "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group" => w => Store(machine, w, i),
        "cp.async.bulk.commit_group" => w => ForLanes(w, lane => machine.Async.Stores.Commit(w, lane)),
        "cp.async.bulk.wait_group" or "cp.async.bulk.wait_group.read" => w => ForLanes(w, lane => machine.Async.Stores.Wait(w, lane, (int)i.Operands[0][0].Number)),
        _ => throw new NotSupportedException(i.Opcode),
    };

    private static void ForLanes(PtxWarp w, Action<int> step)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            if (w.Runs(lane))
            {
                step(lane);
            }
        }
    }

    private static void Load(PtxMachine machine, PtxWarp w, Instruction i)
    {
        int lane = Single(w);
        Box box = Box.Read(machine, w, lane, i.Operands[0][0], i.Operands[1]);
        Arg at = i.Operands[2][0];
        Mbarrier barrier = machine.Async.Mbarrier((int)(w[at.Register, lane] + (ulong)at.Number));
        if (!barrier.IsFenced)
        {
            throw new InvalidOperationException("the mbarrier was made without fence.mbarrier_init");
        }

        machine.Loads++;
        machine.Async.Shared.BeginWrite(box.Chunks);
        machine.Shared.AsSpan(box.Shared, box.Bytes).Fill(0xff);
        machine.Async.Start(new AsyncWork(i.Text, () =>
        {
            box.ForEachChunk((chunk, from, elements) =>
            {
                Span<byte> target = machine.Shared.AsSpan(chunk, 16);
                target.Clear();
                if (elements > 0)
                {
                    Global(machine, from, 2 * elements).CopyTo(target);
                }
            });
            machine.Async.Shared.EndWrite(box.Chunks);
            barrier.Complete(box.Bytes);
        }));
    }

    private static void Store(PtxMachine machine, PtxWarp w, Instruction i)
    {
        int lane = Single(w);
        Box box = Box.Read(machine, w, lane, i.Operands[1][0], i.Operands[0]);
        machine.Async.Shared.BeginRead(box.Chunks);
        var work = new AsyncWork(i.Text, () => box.ForEachChunk((chunk, to, elements) =>
        {
            if (elements > 0)
            {
                machine.Shared.AsSpan(chunk, 2 * elements).CopyTo(Global(machine, to, 2 * elements));
            }
        }));
        machine.Async.Start(work);
        machine.Async.Stores.Add(w, lane, work, () => machine.Async.Shared.EndRead(box.Chunks));
    }

    private static Span<byte> Global(PtxMachine machine, long address, int bytes)
    {
        machine.Global((ulong)address, 2);
        machine.Global((ulong)address + (ulong)bytes - 2, 2);
        return new Span<byte>((byte*)address, bytes);
    }

    private static int Single(PtxWarp w) => System.Numerics.BitOperations.IsPow2(w.Active)
        ? System.Numerics.BitOperations.TrailingZeroCount(w.Active)
        : throw new InvalidOperationException("more than one lane copies the box");

    /// <summary>A box of 64 columns of 16 bits in shared memory, and its place in the matrix, which of several has a number.</summary>
    private sealed record Box(TensorMapShape Map, bool Swizzles, int Shared, int X, int Y, int Head, int Batch)
    {
        public int Bytes => Map.BoxRows * RowBytes;

        public IEnumerable<int> Chunks => Enumerable.Range(Shared / 16, Bytes / 16);

        public static Box Read(PtxMachine machine, PtxWarp w, int lane, Arg shared, Arg[] map)
        {
            ulong address = PtxDecoder.Value(w, map[0], lane);
            if (address % 64 != 0)
            {
                throw new InvalidOperationException($"a tensor map at {address} among the arguments");
            }

            (TensorMapShape shape, bool swizzles) = FakeTensorMap.Decode(MemoryMarshal.Cast<byte, ulong>(machine.Arguments.AsSpan((int)address, 128)));
            int at = (int)w[shared.Register, lane] + (int)shared.Number;
            if (at % 1024 != 0 || at + shape.BoxRows * RowBytes > machine.Shared.Length)
            {
                throw new InvalidOperationException($"a swizzled box at {at} of {machine.Shared.Length} bytes of shared memory");
            }

            if (map.Length != (shape.Heads > 0 ? 5 : 3))
            {
                throw new InvalidOperationException($"{map.Length - 1} coordinates of a tensor map of {(shape.Heads > 0 ? 4 : 2)} dimensions");
            }

            int[] place = [.. map[1..].Select(coordinate => (int)PtxDecoder.Value(w, coordinate, lane))];
            return new Box(shape, swizzles, at, place[0], place[1], place.Length > 2 ? place[2] : 0, place.Length > 2 ? place[3] : 0);
        }

        /// <summary>Of each 16 bytes their place in shared memory, the address in the matrix, and how many elements of it there are.</summary>
        public void ForEachChunk(Action<int, long, int> step)
        {
            long matrix = Map.Address + Head * Map.HeadBytes + Batch * Map.BatchBytes;
            bool isThere = Map.Heads == 0 || (Head >= 0 && Head < Map.Heads && Batch >= 0 && Batch < Map.Batches);
            for (int row = 0; row < Map.BoxRows; row++)
            {
                for (int chunk = 0; chunk < RowBytes / 16; chunk++)
                {
                    int at = Shared + row * RowBytes + 16 * chunk, x = X + 8 * chunk, y = Y + row;
                    int elements = isThere && y >= 0 && y < Map.Rows && x >= 0 ? Math.Clamp(Map.Columns - x, 0, 8) : 0;
                    step(Swizzles ? at ^ (at >> 3 & 0x70) : at, matrix + y * Map.RowBytes + 2L * x, elements);
                }
            }
        }
    }
}
