using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

internal sealed class Gelu() : Dense<GeluConfig>(isGated: false, Numbers.Gelu)
{
    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) =>
        [("gelu with factors", small with { FeedForwardBias = true, FeedForward = GeluConfig.Tiny with { PreScale = 0.6, OutputScale = 2 } })];
}

internal sealed class GeGlu() : Dense<GeGluConfig>(isGated: true, Numbers.Gelu);

internal sealed class GeluTanh() : Dense<GeluTanhConfig>(isGated: false, Numbers.GeluTanh);

internal sealed class GeGluTanh() : Dense<GeGluTanhConfig>(isGated: true, Numbers.GeluTanh);
