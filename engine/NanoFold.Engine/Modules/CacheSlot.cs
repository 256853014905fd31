using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>A piece of memory that a mixer keeps while decoding, for the whole batch.</summary>
public sealed record CacheSlot(string Name, Layout Layout);
