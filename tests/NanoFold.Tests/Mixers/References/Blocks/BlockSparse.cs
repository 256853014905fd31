using NanoFold.Engine.Mixers;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A query sees the blocks near its own, and every so many of the rest.</summary>
internal sealed class BlockSparse : AttentionFamily<BlockSparseConfig>
{
    public override IReadOnlyList<string> Quick(string kind) => [];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override IEnumerable<int> Seen(BlockSparseConfig mixer, int t, IReadOnlyList<int> shown, Func<int, double> score) =>
        Enumerable.Range(0, t + 1).Where(j => (t / mixer.Block) - (j / mixer.Block) is int back && (back < mixer.Local || back % mixer.Stride == 0));
}
