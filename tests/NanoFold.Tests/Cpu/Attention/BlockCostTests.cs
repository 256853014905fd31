using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>What calls over chosen blocks say that they cost is what a count of pairs gives.</summary>
public sealed class BlockCostTests
{
    private const int Batch = 2, Time = 23, Heads = 4, KeyHeads = 2, Depth = 8, Size = 4, Blocks = 6;

    private static readonly int[] s_documents = [.. Enumerable.Range(0, Batch * Time).Select(i => i % Time / 9)];

    [Test]
    public void ListsOfEachQueryCountWhatTheyLeave([Values(1, KeyHeads, Heads)] int lists)
    {
        const int Most = 2;
        int[] blocks = [.. Enumerable.Range(0, Batch * lists * Time).SelectMany(i => new[] { i % Time / Size / 2, i % Time / Size })];
        int[] lengths = [.. Enumerable.Range(0, Batch * lists * Time).Select(i => i % Time / Size == 0 ? 1 : 2)];
        using NativeBuffer first = Of(blocks), second = Of(lengths);
        BlockTable table = new()
        {
            Lists = new View(first, 0, Layout.Of(Batch, lists, Time, Most), DType.Int32), Counts = new View(second, 0, Layout.Of(Batch, lists, Time), DType.Int32),
            QuerySize = 1, KeySize = Size,
        };
        int pairs = Enumerable.Range(0, Time).Sum(t => Enumerable.Range(0, t + 1).Count(j => j / Size == t / Size || (t >= Size && j / Size == t / Size / 2)));
        var call = new AttentionCall(Args(Time, Visible.Causal with { Blocks = table }));
        call.Check();
        Assert.That(call.Cost.Flops, Is.EqualTo(4.0 * Depth * Batch * Heads * pairs));
    }

    [Test]
    public void MeansCountWhereTheirBlocksHaveEnded([Values(false, true)] bool hasDocuments)
    {
        using NativeBuffer memory = Of(s_documents);
        View documents = hasDocuments ? new View(memory, 0, Layout.Of(Batch, Time), DType.Int32) : default;
        int Document(int t) => hasDocuments ? s_documents[t] : 0;
        int ended = Enumerable.Range(0, Time).Sum(t => Enumerable.Range(0, Blocks).Count(c => ((c + 1) * Size) - 1 <= t && Document(((c + 1) * Size) - 1) == Document(t)));
        var pooled = new PooledAttentionCall(Args(Blocks, default), new PooledBlocks { Size = Size, Documents = documents });
        pooled.Check();
        Assert.That(pooled.Cost.Flops, Is.EqualTo(4.0 * Depth * Batch * Heads * ended));

        int before = Enumerable.Range(0, Time).Sum(t => Enumerable.Range(0, t / Size).Count(c => Document(((c + 1) * Size) - 1) == Document(t)));
        var choice = new BlockChoiceCall
        {
            Q = Shape(Time, Heads), Means = Shape(Blocks, KeyHeads), Size = Size, Documents = documents,
            Lists = View.OfShape(Layout.Of(Batch, Heads, Time, 3), DType.Int32), Lengths = View.OfShape(Layout.Of(Batch, Heads, Time), DType.Int32),
        };
        choice.Check();
        Assert.That(choice.Cost.Flops, Is.EqualTo(2.0 * Depth * Batch * Heads * before));
    }

    private static AttentionArgs Args(int keys, Visible visible) => new()
    {
        Q = Shape(Time, Heads), K = Shape(keys, KeyHeads), V = Shape(keys, KeyHeads), Y = Shape(Time, Heads),
        LogSumExp = View.OfShape(Layout.Of(Batch, Heads, Time), DType.Float32), Scale = 1, Visible = visible,
    };

    private static View Shape(int time, int heads) => View.OfShape(Layout.Of(Batch, time, heads, Depth), DType.Float32);

    private static NativeBuffer Of(int[] values)
    {
        var buffer = new NativeBuffer(values.Length * sizeof(int));
        values.CopyTo(buffer.Span<int>());
        return buffer;
    }
}
