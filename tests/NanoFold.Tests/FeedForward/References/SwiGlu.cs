using NanoFold.Engine.FeedForward;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

internal sealed class SwiGlu() : Dense<SwiGluConfig>(isGated: true, x => x * NaiveLayer.Sigmoid(x));
