using NanoFold.Engine.Modules;

namespace NanoFold.Engine.FeedForward;

/// <summary>A feed-forward: each token on its own.</summary>
public abstract class FeedForwardModule : BlockModule;
