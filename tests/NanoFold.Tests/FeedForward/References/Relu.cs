using NanoFold.Engine.FeedForward;

namespace NanoFold.Tests.FeedForward.References;

internal sealed class Relu() : Dense<ReluConfig>(isGated: false, x => Math.Max(x, 0))
{
    public override bool HasKink => true;
}

internal sealed class Relu2() : Dense<Relu2Config>(isGated: false, x => Math.Max(x, 0) * Math.Max(x, 0));
