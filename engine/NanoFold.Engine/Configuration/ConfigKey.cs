using System.Reflection;

namespace NanoFold.Engine.Configuration;

/// <summary>A key of a configuration record.</summary>
/// <param name="Name">As it is written.</param>
/// <param name="Property">What it is bound to.</param>
/// <param name="MayBeNull">Whether <c>null</c> is a value.</param>
internal sealed record ConfigKey(string Name, PropertyInfo Property, bool MayBeNull)
{
    public Type Type => Property.PropertyType;

    /// <summary>Whether the value is the name of a kind, without its settings.</summary>
    public bool IsKindOnly => Property.IsDefined(typeof(KindOnlyAttribute));

    /// <summary>The values that a number may take, where not all are allowed.</summary>
    public BoundsAttribute? Bounds => Property.GetCustomAttribute<BoundsAttribute>();
}
