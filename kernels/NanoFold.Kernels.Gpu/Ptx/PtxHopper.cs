namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>
/// Instructions of compute capability 9.0: barriers in shared memory that count threads and bytes, copies of whole tiles by a tensor map, and what orders them
/// with ordinary accesses (the tensor cores and the copies see shared memory through another proxy than loads and stores do).
/// </summary>
internal static class PtxHopper
{
    /// <summary>True in one lane of the warp, the same one each time; all lanes take part.</summary>
    public static Reg Elect(this PtxWriter w)
    {
        Reg isElected = w.New(RegKind.Predicate);
        w.Emit($"elect.sync _|{isElected}, -1");
        return isElected;
    }

    /// <summary>A barrier of 8 bytes in shared memory, whose phases end when <paramref name="count"/> threads have arrived and all expected bytes are there.</summary>
    public static void InitBarrier(this PtxWriter w, Reg barrier, int offset, int count) => w.Emit($"mbarrier.init.shared::cta.b64 [{barrier}+{offset}], {count}");

    /// <summary>Lets copies see the barriers that this thread made.</summary>
    public static void FenceBarrierInit(this PtxWriter w) => w.Emit("fence.mbarrier_init.release.cluster");

    public static void Arrive(this PtxWriter w, Reg barrier, int offset = 0) => w.Emit($"mbarrier.arrive.shared::cta.b64 _, [{barrier}+{offset}]");

    /// <summary>Arrives, and lets the phase end only after as many bytes more were copied.</summary>
    public static void ArriveExpecting(this PtxWriter w, Reg barrier, int offset, int bytes) => w.Emit($"mbarrier.arrive.expect_tx.shared::cta.b64 _, [{barrier}+{offset}], {bytes}");

    /// <summary>Waits for the end of the phase of that parity (0, 1, 0, …); the one before the first, of parity 1, has ended.</summary>
    /// <param name="what">What is waited for, in a few words: <see cref="PtxWatch"/> says it.</param>
    public static void WaitBarrier(this PtxWriter w, Reg barrier, int offset, Reg parity, string what)
    {
        string again = w.NewLabel();
        Reg done = w.New(RegKind.Predicate), deadline = w.Watch is { } started ? started.Begin(w) : default;
        w.Mark(again);
        w.Emit($"mbarrier.try_wait.parity{(w.Cluster > 1 ? ".acquire.cluster" : "")}.shared::cta.b64 {done}, [{barrier}+{offset}], {parity}");
        if (w.Watch is { } watch)
        {
            string end = w.NewLabel();
            w.Emit($"@{done} bra {end}");
            watch.GoOn(w, deadline, again, what, w.Add(barrier, offset), parity);
            w.Mark(end);
            return;
        }

        w.Emit($"@!{done} bra {again}");
    }

    /// <summary>The address of a tensor map in the struct of arguments.</summary>
    public static Reg TensorMap(this PtxWriter w, int offset)
    {
        Reg arguments = w.New(RegKind.B64), address = w.New(RegKind.B64);
        w.Emit($"mov.b64 {arguments}, arguments");
        w.Emit($"cvta.param.u64 {address}, {arguments}");
        return w.Op(RegKind.B64, "add.s64", address, offset);
    }

    /// <summary>Copies a map's box from element (x, y), x along rows, to shared memory in the background; what lies outside of the matrix is 0, and its bytes count for the barrier too.</summary>
    public static void LoadTile(this PtxWriter w, Reg shared, int offset, Reg map, Reg x, Reg y, Reg barrier, int barrierOffset)
        => w.Emit($"cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [{shared}+{offset}], [{map}, {{{x}, {y}}}], [{barrier}+{barrierOffset}]");

    /// <summary>The same of one of the matrices of a map of heads.</summary>
    public static void LoadTile(this PtxWriter w, Reg shared, int offset, Reg map, Reg x, Reg y, Reg head, Reg batch, Reg barrier, int barrierOffset)
        => w.Emit($"cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [{shared}+{offset}], [{map}, {{{x}, {y}, {head}, {batch}}}], [{barrier}+{barrierOffset}]");

    /// <summary>Copies a box from shared memory to a matrix in the background, as part of this thread's group; what lies outside is left out.</summary>
    public static void StoreTile(this PtxWriter w, Reg map, Reg x, Reg y, Reg shared, int offset)
        => w.Emit($"cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [{map}, {{{x}, {y}}}], [{shared}+{offset}]");

    /// <summary>The same to one of the matrices of a map of heads.</summary>
    public static void StoreTile(this PtxWriter w, Reg map, Reg x, Reg y, Reg head, Reg batch, Reg shared, int offset)
        => w.Emit($"cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [{map}, {{{x}, {y}, {head}, {batch}}}], [{shared}+{offset}]");

    /// <summary>The same of floats, which are added to what is there: one after another where several add to one place, in any order.</summary>
    public static void AddTile(this PtxWriter w, Reg map, Reg x, Reg y, Reg shared, int offset)
        => w.Emit($"cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [{map}, {{{x}, {y}}}], [{shared}+{offset}]");

    /// <summary>Ends this thread's group of stores.</summary>
    public static void CommitStores(this PtxWriter w) => w.Emit("cp.async.bulk.commit_group");

    /// <summary>Waits until all groups of this thread have read what they store.</summary>
    public static void WaitStoresRead(this PtxWriter w) => w.Emit("cp.async.bulk.wait_group.read 0");

    /// <summary>Waits until all groups of this thread are done.</summary>
    public static void WaitStores(this PtxWriter w) => w.Emit("cp.async.bulk.wait_group 0");

    /// <summary>Lets copies and tensor cores see what this thread wrote to shared memory, after a barrier also from other threads.</summary>
    public static void FenceAsync(this PtxWriter w) => w.Emit("fence.proxy.async.shared::cta");

    /// <summary>The threads that name the barrier meet; 0 is the one of <see cref="PtxMemory.Barrier"/>.</summary>
    public static void Barrier(this PtxWriter w, Operand number, int threads) => w.Emit($"bar.sync {number}, {threads}");

    /// <summary>A warpgroup gives registers away, or takes what others gave; a multiple of 8.</summary>
    public static void SetRegisters(this PtxWriter w, int count, bool isMore) => w.Emit($"setmaxnreg.{(isMore ? "inc" : "dec")}.sync.aligned.u32 {count}");

    /// <summary>
    /// Stores four matrices of 8 × 8 16-bit elements to shared memory: lanes 8i .. 8i + 7 give the addresses of matrix i's rows, a lane has of it (row g, columns 2t and 2t + 1)
    /// with g = lane / 4 and t = lane % 4: as <see cref="PtxTensor.LoadMatrix"/> reads.
    /// </summary>
    public static void StoreMatrix(this PtxWriter w, Reg address, int offset, params ReadOnlySpan<Reg> values)
        => w.Emit($"stmatrix.sync.aligned.m8n8.x4.shared.b16 [{address}+{offset}], {{{PtxMemory.Join(values)}}}");
}
