using NanoFold.Engine.Mixers;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A query of a head takes its own block and those before it whose mean scores the most.</summary>
internal sealed class Moba : AttentionFamily<MobaConfig>
{
    public override IReadOnlyList<string> Quick(string kind) => [];

    public override IReadOnlyList<string> QuickToDecode(string kind) => [];

    protected override IEnumerable<int> Seen(MobaConfig mixer, int t, IReadOnlyList<int> shown, Func<int, double> score)
    {
        int own = t / mixer.Block;
        int[] blocks =
        [
            own, .. Enumerable.Range(0, own).OrderByDescending(c => Enumerable.Range(c * mixer.Block, mixer.Block).Average(score)).ThenBy(c => c).Take(mixer.TopBlocks - 1),
        ];
        return Enumerable.Range(0, t + 1).Where(j => blocks.Contains(j / mixer.Block));
    }
}
