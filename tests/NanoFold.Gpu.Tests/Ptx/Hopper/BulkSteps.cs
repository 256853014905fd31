using System.Runtime.InteropServices;
using NanoFold.Gpu.Tests.Ptx.Blocks;
using NanoFold.Kernels.Gpu.Ptx;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>
/// Copies of boxes by a tensor map, to shared memory (counted by an mbarrier), there of several blocks of a cluster too, and from it (in groups of the thread that asks), where they may also be added
/// to what is there.
/// </summary>
internal static unsafe class BulkSteps
{
    public static Action<PtxWarp> Decode(PtxMachine machine, Instruction i) => i.Opcode switch
    {
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes" or "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes" => w => Load(machine, w, i),
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster" => w => Load(machine, w, i),
        "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group" or "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group" => w => Store(machine, w, i, adds: false),
        "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group" => w => Store(machine, w, i, adds: true),
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
        (PtxBlock own, int at) = machine.Reach(w, Address(w, i.Operands[0][0], lane), 16);
        (PtxBlock ofBarrier, int barrierAt) = machine.Reach(w, Address(w, i.Operands[2][0], lane), 8);
        if (own != ofBarrier)
        {
            throw new InvalidOperationException("a box and the mbarrier that counts it are of different blocks");
        }

        var box = TensorBox.Read(machine, w, lane, at, i.Operands[1]);
        foreach (PtxBlock block in i.Parts[^1] == "multicast::cluster" ? Chosen(w, (int)PtxDecoder.Value(w, i.Operands[3][0], lane)) : [own])
        {
            Load(machine, block, box, barrierAt, i.Text);
        }
    }

    /// <summary>Blocks of the cluster by a mask with a bit for each.</summary>
    private static IEnumerable<PtxBlock> Chosen(PtxWarp w, int mask)
        => Enumerable.Range(0, 16).Where(rank => (mask >> rank & 1) != 0).Select(rank => w.Block.Cluster.Reach(rank, w.Block));

    /// <summary>One block's copy, which is done at a time of its own and counted by the block's own barrier.</summary>
    private static void Load(PtxMachine machine, PtxBlock block, TensorBox box, int barrierAt, string name)
    {
        Mbarrier barrier = block.Async.Mbarrier(barrierAt);
        barrier.SeeFenced();
        machine.Loads++;
        block.Async.Shared.BeginWrite(box.Chunks);
        block.Shared.AsSpan(box.Shared, box.Bytes).Fill(0xff);
        block.Async.Start(new AsyncWork(name, () =>
        {
            box.ForEachChunk((chunk, from, bytes) =>
            {
                Span<byte> target = block.Shared.AsSpan(chunk, 16);
                target.Clear();
                if (bytes > 0)
                {
                    Global(machine, box, from, bytes).CopyTo(target);
                }
            });
            block.Async.Shared.EndWrite(box.Chunks);
            barrier.Complete(box.Bytes);
        }));
    }

    /// <summary>From shared memory, to take the place of what is in the matrix or to be added to it.</summary>
    private static void Store(PtxMachine machine, PtxWarp w, Instruction i, bool adds)
    {
        int lane = Single(w);
        PtxBlock block = w.Block;
        var box = TensorBox.Read(machine, w, lane, machine.SharedAt(Address(w, i.Operands[1][0], lane), 16), i.Operands[0]);
        if (adds && box.Map.Type != GpuType.Float32)
        {
            throw new NotSupportedException($"sums of {box.Map.Type} in memory");
        }

        block.Async.Shared.BeginRead(box.Chunks);
        var work = new AsyncWork(i.Text, () => box.ForEachChunk((chunk, to, bytes) =>
        {
            if (bytes == 0)
            {
                return;
            }

            Span<byte> target = Global(machine, box, to, bytes), source = block.Shared.AsSpan(chunk, bytes);
            if (!adds)
            {
                source.CopyTo(target);
                return;
            }

            Span<float> sums = MemoryMarshal.Cast<byte, float>(target), values = MemoryMarshal.Cast<byte, float>(source);
            for (int e = 0; e < sums.Length; e++)
            {
                sums[e] += values[e];
            }
        }));
        block.Async.Start(work);
        block.Async.Stores.Add(w, lane, work, () => block.Async.Shared.EndRead(box.Chunks));
    }

    private static ulong Address(PtxWarp w, Arg address, int lane) => w[address.Register, lane] + (ulong)address.Number;

    private static Span<byte> Global(PtxMachine machine, TensorBox box, long address, int bytes)
    {
        int size = box.Map.Type.Size();
        machine.Element((ulong)address, size);
        machine.Element((ulong)address + (ulong)(bytes - size), size);
        return new Span<byte>((byte*)address, bytes);
    }

    private static int Single(PtxWarp w) => System.Numerics.BitOperations.IsPow2(w.Active)
        ? System.Numerics.BitOperations.TrailingZeroCount(w.Active)
        : throw new InvalidOperationException("more than one lane copies the box");
}
