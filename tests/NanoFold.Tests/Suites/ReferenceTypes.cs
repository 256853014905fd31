namespace NanoFold.Tests.Suites;

/// <summary>References of kinds, found in this assembly.</summary>
internal static class ReferenceTypes
{
    public static IEnumerable<T> All<T>() => typeof(T).Assembly.GetTypes()
        .Where(type => !type.IsAbstract && typeof(T).IsAssignableFrom(type))
        .Select(type => (T)Activator.CreateInstance(type, nonPublic: true)!);
}
