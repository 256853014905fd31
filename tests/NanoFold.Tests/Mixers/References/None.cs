using NanoFold.Engine.Mixers;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Nothing: the layer has no mixer.</summary>
internal sealed class None : MixerReference<NoneConfig>
{
    protected override double[][] Forward(NoneConfig mixer, NaiveLayer layer, double[][] x) => throw new NotSupportedException("none: is left out");
}
