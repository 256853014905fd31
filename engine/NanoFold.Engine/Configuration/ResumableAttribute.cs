namespace NanoFold.Engine.Configuration;

/// <summary>A key that may differ when a run is taken up again: it does not change what was computed so far.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ResumableAttribute : Attribute;
