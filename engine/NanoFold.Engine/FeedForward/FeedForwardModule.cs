using NanoFold.Engine.Modules;

namespace NanoFold.Engine.FeedForward;

/// <summary>A feed-forward: each token on its own, or with the one before it.</summary>
public abstract class FeedForwardModule : BlockModule;
