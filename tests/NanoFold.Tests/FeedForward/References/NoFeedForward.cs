using NanoFold.Engine.FeedForward;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

/// <summary>Nothing: the layer has no feed-forward.</summary>
internal sealed class NoFeedForward : FeedForwardReference
{
    public override Type Config => typeof(NoFeedForwardConfig);

    public override double[] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[] x) => throw new NotSupportedException("none: is left out");
}
