using NanoFold.Engine.Benchmarks;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Benchmarks;

public class AttentionResultTests
{
    [Test]
    public void FlopsAreThoseOfVisiblePairs()
    {
        // Of 4 tokens 1 + 2 + 3 + 4 pairs, within a window of 2 only 1 + 2 + 2 + 2.
        Assert.That(new AttentionCase(4, 6, 3, 8, 2).Flops, Is.EqualTo(14 * 8 * 10 * 6 * 2));
        Assert.That(new AttentionCase(4, 6, 3, 8, 2, Window: 2).Flops, Is.EqualTo(14 * 8 * 7 * 6 * 2));

        // In documents of 3 tokens 1 + 2 + 3 and 1; a document of more than there are is all of them.
        Assert.That(new AttentionCase(4, 6, 3, 8, 2, Documents: 3).Flops, Is.EqualTo(14 * 8 * 7 * 6 * 2));
        Assert.That(new AttentionCase(4, 6, 3, 8, 2, Documents: 2).Flops, Is.EqualTo(14 * 8 * 6 * 6 * 2));
        Assert.That(new AttentionCase(4, 6, 3, 8, 2, Documents: 9).Flops, Is.EqualTo(14 * 8 * 10 * 6 * 2));
    }

    [Test]
    public void BothPassesAreTimedAndAllMemoryIsCounted()
    {
        using var backend = new CpuBackend(1);
        var shape = new AttentionCase(Context: 32, Heads: 4, KvHeads: 2, HeadDim: 16, Batch: 2);
        AttentionResult result = AttentionResult.Measure(shape, backend);

        // q, k, v and their gradients, the result and its gradient; what is beyond is kept statistics and scratch.
        const int q = 2 * 32 * 4 * 16 * sizeof(float), k = q / 2;
        Assert.That(result.ForwardSeconds, Is.Positive);
        Assert.That(result.BackwardSeconds, Is.Not.Negative);
        Assert.That(result.FlopsPerSecond, Is.Positive);
        Assert.That(result.Bytes, Is.InRange(2 * (q + k + k + q), 4 * (q + k + k + q)));
        Assert.That(result.BytesPerToken, Is.EqualTo(result.Bytes / 64.0));
    }

    [Test]
    public void WithoutTheKernelTheComposedPathIsTimed([Values(0, 5)] int documents)
    {
        using var backend = new CpuBackend(1, composedOnly: true);
        Assert.That(AttentionResult.Measure(new AttentionCase(16, 2, 1, 4, 1, Documents: documents), backend).ForwardSeconds, Is.Positive);
    }
}
