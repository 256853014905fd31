using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>A sequence mixer: tokens learn of those before them. But for a shift by a token that some feed-forwards have, the one part of a block in which positions meet.</summary>
public abstract class Mixer : BlockModule;
