namespace NanoFold.Engine.Configuration;

/// <summary>A key whose value is the name of a kind and nothing more: the kind's settings are not read.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class KindOnlyAttribute : Attribute;
