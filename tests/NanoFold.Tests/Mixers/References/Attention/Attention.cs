using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Tests.Mixers.References;

/// <summary>A query sees all before it.</summary>
internal sealed class Attention : AttentionFamily<AttentionConfig>
{
    public override IReadOnlyList<string> Quick(string kind) => ["attention grouped", "attention everything", "attention of its own shape", "attention with sink logits"];

    public override IReadOnlyList<string> QuickToDecode(string kind) => ["attention grouped"];

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small)
    {
        var own = new AttentionConfig { Heads = 6, KvHeads = 3, HeadDim = 10, ValueDim = 7, RopeDim = 4 };
        yield return ("attention of its own shape", small with { Mixer = own, QkNorm = true });
        yield return ("attention of two shapes", small with
        {
            Pattern = [new BlockConfig { Mixer = own with { RopeDim = 0 } }, new BlockConfig { Mixer = new AttentionConfig { Heads = 2 } }],
            KvHeads = 1,
            RopeInterleaved = true,
        });
        yield return ("attention with sink logits", small with { Mixer = new AttentionConfig { SinkLogits = true }, KvHeads = 2 });
    }
}
