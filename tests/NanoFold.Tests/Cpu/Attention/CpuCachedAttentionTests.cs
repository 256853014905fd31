using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Attention.Cached;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>Decoding in chunks against one full pass over the same tokens.</summary>
[Parallelizable]
public sealed class CpuCachedAttentionTests
{
    private static readonly Isa[] s_paths = [Isa.Scalar, Isa.Vector128, Isa.Vector256, Isa.Vector512];

    [Test]
    public void ChunksAgreeWithTheFullPass([ValueSource(nameof(s_paths))] Isa isa, [Values(1, 2, 7, 40)] int chunk, [Values(1, 2, 6)] int keyHeads) =>
        Verify(isa, new AttentionReference(2, 50, 6, keyHeads, 11), 50, chunk);

    [Test]
    public void ValuesMayBeWiderThanKeys([ValueSource(nameof(s_paths))] Isa isa, [Values(1, 5)] int chunk) =>
        Verify(isa, new AttentionReference(1, 20, 2, 1, 7) { ValueDepth = 37 }, 20, chunk);

    [TestCase(1, 8, 0, 8)]
    [TestCase(1, 8, 3, 11)]
    [TestCase(1, 8, 3, 20)]
    [TestCase(5, 8, 0, 12)]
    [TestCase(5, 8, 4, 16)]
    [TestCase(5, 9, 4, 100)]
    [TestCase(30, 33, 2, 64)]
    [TestCase(3, 1, 1, 4)]
    [TestCase(1, 90, 0, 97)]
    public void ARingHoldsTheWindowAndTheSinks(int chunk, int window, int sinks, int capacity)
    {
        foreach (Isa isa in new[] { Isa.Scalar, IsaExtensions.Best })
        {
            Verify(isa, new AttentionReference(2, 100, 2, 1, 9) { Window = window, Sinks = sinks }, capacity, chunk);
            Verify(isa, new AttentionReference(1, 100, 4, 1, 9) { Window = window, Sinks = sinks }, capacity, chunk);
        }
    }

    [Test]
    public void RowsMayDifferInLength([ValueSource(nameof(s_paths))] Isa isa, [Values(1, 4, 9)] int chunk, [Values(0, 6)] int window) =>
        Verify(isa, new AttentionReference(3, 40, 4, 2, 8) { Window = window, Sinks = window / 3 }, 40, chunk, ragged: true);

    [Test]
    public void TokensOfAPrefixSeeEachOtherWhereTheyComeTogether([Values(9, 20, 40)] int chunk, [Values(0, 6)] int window) =>
        Verify(
            IsaExtensions.Best,
            new AttentionReference(2, 40, 4, 2, 8) { Kind = VisibleKind.Prefix, Prefixes = [9, 3], Window = window, Sinks = window / 3 }, 48, chunk);

    [Test]
    public void FullAttentionSeesTheTokensThatAreThere([Values(0, 7)] int window) =>
        Verify(IsaExtensions.Best, new AttentionReference(2, 40, 4, 2, 8) { Kind = VisibleKind.Full, Window = window, Sinks = window }, 45, 40);

    [Test]
    public void DocumentsAndBlockTablesAreForTheFullPassAlone()
    {
        using var rig = new CacheRig(new AttentionReference(1, 3, 2, 1, 4), DType.Float32, 3, 100);
        using var documents = new GuardedTensor(DType.Int32, [1, 100]).Fill(_ => 0);
        using var context = new CpuContext(1, IsaExtensions.Best);
        using var attention = new CpuCachedAttention(context);
        Assert.That(() => attention.Run(rig.Args with { Visible = Visible.Causal with { Documents = documents.View } }), Throws.ArgumentException.With.Message.Contains("documents and block tables"));
    }

    [Test]
    public void LongCachesAreCutByKeys([Values(1, 3)] int chunk, [Values(0, 300)] int window)
    {
        var reference = new AttentionReference(1, 30, 2, 2, 16) { Window = window, Sinks = window / 100 };
        Verify(IsaExtensions.Best, reference, window == 0 ? 700 : 310, chunk, start: 550);
    }

    [Test]
    public void DepthsOfWholeAndHalfVectors([Values(Isa.Vector256, Isa.Vector512)] Isa isa, [Values(8, 16, 24, 40, 64, 72)] int depth) =>
        Verify(isa, new AttentionReference(1, 9, 4, 2, depth) { ValueDepth = depth == 64 ? 8 : depth }, 140, chunk: 1, start: 101);

    [Test]
    public void ACallThatWasMadeReadyDoesTheSame([Values(1, 3)] int chunk, [Values(40, 600)] int position)
    {
        var reference = new AttentionReference(1, 60, 4, 2, 16);
        using var context = new CpuContext(2, IsaExtensions.Best);
        using var attention = new CpuCachedAttention(context);
        using CacheRig called = new(reference, DType.Float32, chunk, 700), ready = new(reference, DType.Float32, chunk, 700);
        PreparedCall prepared = ((IKernel<CachedAttentionCall>)attention).Prepare(ready.Args)!;
        for (int token = 0; token < 3; token++)
        {
            called.Set(0, position + (token * chunk), chunk);
            ready.Set(0, position + (token * chunk), chunk);
            attention.Run(called.Args);
            prepared.Run();
            Assert.That(ready.Y.ToArray(), Is.EqualTo(called.Y.ToArray()));
        }

        ready.Set(0, 700, 1);
        Assert.That(prepared.Run, Throws.ArgumentException.With.Message.Contains("1 tokens at position 700 do not fit a cache of 700"));
    }

    [TestCase(2, 1)]
    [TestCase(2, 3)]
    [TestCase(6, 1)]
    [TestCase(16, 1)]
    public void LargeCachesAreReadForAllHeadsAtOnce(int heads, int chunk) =>
        Verify(DType.Float32, IsaExtensions.Best, new AttentionReference(1, 12, heads, 2, 64), 2200, chunk, ragged: false, start: 501);

    [Test]
    public void BitsDoNotDependOnThreads([Values(1, 3, 60)] int chunk)
    {
        var reference = new AttentionReference(1, 60, 4, 2, 16);
        double[] one = Run(1, IsaExtensions.Best, reference, 2000, chunk, 1500);
        foreach (int threads in new[] { 2, 3, 7 })
        {
            Assert.That(Run(threads, IsaExtensions.Best, reference, 2000, chunk, 1500), Is.EqualTo(one));
        }
    }

    [Test]
    public void RunsWithoutManagedAllocation()
    {
        using var rig = new CacheRig(new AttentionReference(1, 3, 4, 2, 16), DType.Float32, 3, 1000);
        using var context = new CpuContext(2, IsaExtensions.Best);
        using var attention = new CpuCachedAttention(context);
        rig.Set(0, 900, 3);
        attention.Run(rig.Args);
        long before = GC.GetAllocatedBytesForCurrentThread();
        attention.Run(rig.Args);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [TestCase(99, 2, 0, 0, "2 tokens at position 99 do not fit a cache of 100 with window 0 and 0 sinks")]
    [TestCase(200, 3, 99, 0, "3 tokens at position 200 do not fit a cache of 100 with window 99")]
    [TestCase(-1, 1, 0, 0, "row 0 has 1 new tokens of 3 at position -1")]
    [TestCase(5, 4, 0, 0, "row 0 has 4 new tokens of 3 at position 5")]
    public void RefusesPositionsThatDoNotFit(int position, int count, int window, int sinks, string message)
    {
        using var rig = new CacheRig(new AttentionReference(1, 3, 2, 1, 4) { Window = window, Sinks = sinks }, DType.Float32, 3, 100);
        using var context = new CpuContext(1, IsaExtensions.Best);
        using var attention = new CpuCachedAttention(context);
        rig.Set(0, position, count);
        Assert.That(() => attention.Run(rig.Args), Throws.ArgumentException.With.Message.Contains(message));
    }

    private static void Verify(Isa isa, AttentionReference reference, int capacity, int chunk, bool ragged = false, int start = 0)
    {
        foreach (DType type in new[] { DType.Float32, DType.Float64 })
        {
            Verify(type, isa, reference, capacity, chunk, ragged, start);
        }
    }

    /// <summary>The first <paramref name="start"/> tokens go in by chunks without being compared.</summary>
    private static void Verify(DType type, Isa isa, AttentionReference reference, int capacity, int chunk, bool ragged, int start)
    {
        AttentionReference whole = reference with { Time = reference.Time + start, Keys = reference.Time + start };
        using var full = new AttentionRig(whole, type, strided: true);
        using var context = new CpuContext(1, isa);
        full.Forward(context);
        using var cache = new CacheRig(reference, type, chunk, capacity);
        using var attention = new CpuCachedAttention(context);
        var at = new int[reference.Batch];
        var random = new Random(5);
        while (at.Min() < whole.Time)
        {
            for (int b = 0; b < at.Length; b++)
            {
                cache.Set(b, at[b], Math.Min(ragged ? random.Next(chunk + 1) : chunk, whole.Time - at[b]));
                cache.CopyTokens(full, whole, b);
            }

            attention.Run(cache.Args);
            for (int b = 0; b < at.Length; b++)
            {
                cache.AssertOutput(full, whole, b, start, type == DType.Float64 ? 1e-12 : 1e-5);
                at[b] += cache.Count(b);
            }
        }

        cache.AssertGuards();
    }

    private static double[] Run(int threads, Isa isa, AttentionReference reference, int capacity, int chunk, int position)
    {
        using var rig = new CacheRig(reference, DType.Float32, chunk, capacity);
        using var context = new CpuContext(threads, isa);
        using var attention = new CpuCachedAttention(context);
        rig.Set(0, position, chunk);
        attention.Run(rig.Args);
        return rig.Y.ToArray();
    }
}
