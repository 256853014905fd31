using NanoFold.Engine.FeedForward;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

internal sealed class Gelu() : Dense<GeluConfig>(isGated: false, Numbers.Gelu);

internal sealed class GeGlu() : Dense<GeGluConfig>(isGated: true, Numbers.Gelu);

internal sealed class GeluTanh() : Dense<GeluTanhConfig>(isGated: false, Numbers.GeluTanh);

internal sealed class GeGluTanh() : Dense<GeGluTanhConfig>(isGated: true, Numbers.GeluTanh);
