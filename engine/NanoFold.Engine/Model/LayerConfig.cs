using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;

namespace NanoFold.Engine.Model;

/// <summary>What one layer consists of.</summary>
public sealed record LayerConfig(MixerConfig Mixer, FeedForwardConfig FeedForward);
