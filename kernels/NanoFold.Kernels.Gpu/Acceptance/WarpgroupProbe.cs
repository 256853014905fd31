using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// One product by a warpgroup from operands in shared memory, in each way that they may lie there: [64, 64] · [64, 128] of small integers, of which every sum is exact. A wrong swizzle
/// spoils all of them; a wrong way from 64 of m or n to the next spoils those along n alone.
/// </summary>
internal static class WarpgroupProbe
{
    private const int M = 64, N = 128, K = 64, Threads = 128, BytesA = M * PtxWgmma.RowBytes, Bytes = (M + N) * PtxWgmma.RowBytes;

    public static IEnumerable<CardCheck> All =>
        from type in new[] { GpuType.BFloat16, GpuType.Float16 }
        from alongA in new[] { true, false }
        from alongB in new[] { true, false }
        select new CardCheck($"warpgroup-{(type == GpuType.BFloat16 ? "bf16" : "f16")}-a-along-{(alongA ? "k" : "m")}-b-along-{(alongB ? "k" : "n")}", 90, device => Run(device, type, alongA, alongB));

    private static CheckResult Run(ICheckDevice device, GpuType type, bool alongA, bool alongB)
    {
        var expected = new float[M * N];
        for (int i = 0; i < expected.Length; i++)
        {
            for (int k = 0; k < K; k++)
            {
                expected[i] += SmallIntegers.At(0, i / N, k) * SmallIntegers.At(1, i % N, k);
            }
        }

        long a = SmallIntegers.Put(device, type, 0, M, K, alongA, pad: 0).Address, b = SmallIntegers.Put(device, type, 1, N, K, alongB, pad: 0).Address, y = device.Allocate(4 * expected.Length);
        var arguments = new ProbeArguments
        {
            A = device.Map(alongA ? new TensorMapShape(type, a, K, M, 2 * K, M) : new TensorMapShape(type, a, M, K, 2 * M, K)),
            B = device.Map(alongB ? new TensorMapShape(type, b, K, N, 2 * K, N) : new TensorMapShape(type, b, N, K, 2 * N, K)),
            Y = y,
            Watch = device.Watch,
        };
        device.Run(Write(type, alongA, alongB), arguments, 1);
        var got = new byte[4 * expected.Length];
        device.Read(y, got);
        return new CheckResult(MemoryMarshal.AsBytes<float>(expected).ToArray(), got);
    }

    private static PtxProgram Write(GpuType type, bool alongA, bool alongB)
    {
        PtxWriter w = ProbeArguments.Writer("warpgroup", Threads);
        Reg shared = w.SharedBase(), thread = w.ThreadX(), zero = w.Const(0), isFirst = w.Compare("eq", thread, 0), always = w.Compare("eq", zero, 0);
        using (w.When(isFirst))
        {
            w.InitBarrier(shared, Bytes, 1);
            w.FenceBarrierInit();
        }

        w.Barrier();
        using (w.When(isFirst))
        {
            w.ArriveExpecting(shared, Bytes, Bytes);
        }

        Reg mapA = w.TensorMap(ProbeArguments.AtA), mapB = w.TensorMap(ProbeArguments.AtB), further = w.Const(TensorMapShape.BoxColumns);
        using (w.When(isFirst))
        {
            w.LoadTile(shared, 0, mapA, zero, zero, shared, Bytes);
            w.LoadTile(shared, BytesA, mapB, zero, zero, shared, Bytes);
            if (!alongB)
            {
                w.LoadTile(shared, BytesA + K * PtxWgmma.RowBytes, mapB, further, zero, shared, Bytes);
            }
        }

        w.WaitBarrier(shared, Bytes, zero, "both operands");
        Reg[] sums = w.New(RegKind.F32, N / 2);
        foreach (Reg sum in sums)
        {
            w.Set(sum, 0f);
        }

        Reg[] ofA = w.Descriptor(shared, alongA, K), ofB = w.Descriptor(w.Add(shared, BytesA), alongB, K);
        w.FenceSums();
        for (int step = 0; step < K / 16; step++)
        {
            w.MultiplyGroup(type, sums, w.At(ofA, step * PtxWgmma.Step(alongA)), w.At(ofB, step * PtxWgmma.Step(alongB)), always, alongA, alongB);
        }

        w.CommitProducts();
        w.WaitProducts(0);

        // Of warp w: rows 16w + lane / 4 and eight further, columns 2 (lane % 4) and the next of every eight.
        Reg lane = w.And(thread, 31), row = w.Mad(w.Shr(thread, 5), 16, w.Shr(lane, 2)), at = w.Mad(row, 4 * N, w.Mul(w.And(lane, 3), 8));
        Reg target = w.MadWide(at, 1, w.Argument(RegKind.B64, ProbeArguments.AtY));
        for (int j = 0; j < N / 8; j++)
        {
            w.StoreGlobal(target, 32 * j, sums[4 * j], sums[4 * j + 1]);
            w.StoreGlobal(target, 32 * j + 8 * 4 * N, sums[4 * j + 2], sums[4 * j + 3]);
        }

        return w.Finish(Bytes + 8);
    }
}
