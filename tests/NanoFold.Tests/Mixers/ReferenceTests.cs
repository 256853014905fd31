using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;

namespace NanoFold.Tests.Mixers;

public class ReferenceTests
{
    private static IEnumerable<Variant> Kinds => [.. Variant.Of<MixerConfig>(), .. Variant.Of<FeedForwardConfig>()];

    [TestCaseSource(nameof(Kinds))]
    public void EveryKindHasAReference(Variant kind) =>
        Assert.That(MixerReference.Exists(kind.Type) || FeedForwardReference.Exists(kind.Type), $"{kind.Kind}: needs a reference in Mixers/References or FeedForward/References");
}
