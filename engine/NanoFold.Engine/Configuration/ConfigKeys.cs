namespace NanoFold.Engine.Configuration;

/// <summary>All keys there are, to say what an unknown one may have meant.</summary>
internal static class ConfigKeys
{
    /// <summary>What to say of a key that <paramref name="type"/> does not have.</summary>
    /// <param name="root">The record of the whole configuration.</param>
    /// <param name="parent">The path of the record, empty at the top.</param>
    /// <param name="key">The unknown key.</param>
    /// <param name="type">The record's type.</param>
    /// <param name="family">The abstract type of which the record is one kind, or null.</param>
    /// <param name="aliases">The key that a name of another tool stands for, or null.</param>
    public static string Unknown(Type root, string parent, string key, Type type, Type? family, Func<string, string?>? aliases = null)
    {
        string[] here = [.. ConfigSchema.Keys(type).Select(known => known.Name)];
        if (family is not null && OtherKinds(family, key) is { } others)
        {
            return $"is not a key of kind \"{Variant.KindOf(family, type)}\", but of {others}";
        }

        if (aliases?.Invoke(key) is { } meant)
        {
            return $"unknown key; did you mean {meant}?";
        }

        if (NearestName.Among(key, here) is { } near)
        {
            return $"unknown key; did you mean {Join(parent, near)}?";
        }

        if (Elsewhere(root, key) is { } path)
        {
            return $"unknown key; did you mean {path}?";
        }

        return here.Length == 0
            ? family is null ? "unknown key" : $"unknown key; kind \"{Variant.KindOf(family, type)}\" has no settings"
            : $"unknown key; known here: {string.Join(", ", here)}";
    }

    /// <summary>The type that the key at a dotted path has in any kind, or null.</summary>
    public static Type? TypeAt(Type root, ReadOnlySpan<string> path)
    {
        Type? type = root;
        foreach (string key in path)
        {
            type = type is null ? null : ConfigSchema.ElementOf(type) ?? ConfigSchema.ValueOf(type) ?? ConfigSchema.Key(ConfigSchema.OverlaidBy(type) ?? type, key)?.Type;
        }

        return type;
    }

    public static string Join(string parent, string key) => parent.Length == 0 ? key : $"{parent}.{key}";

    private static string? OtherKinds(Type family, string key)
    {
        string[] kinds = [.. ConfigSchema.Kinds(family).Where(kind => ConfigSchema.Key(kind.Type, key) is not null).Select(kind => $"\"{kind.Kind}\"")];
        return kinds.Length == 0 ? null : string.Join(", ", kinds);
    }

    // A key of that very name in another section, then one of nearly that name.
    private static string? Elsewhere(Type root, string key)
    {
        (string Section, string Key)[] all = [.. ConfigSchema.Keys(root).SelectMany(
            section => ConfigSchema.Kinds(section.Type).Select(kind => kind.Type).Prepend(section.Type)
                .SelectMany(ConfigSchema.Keys)
                .Select(known => (section.Name, known.Name)))];
        string? wanted = NearestName.Among(key, all.Where(k => string.Equals(k.Key, key, StringComparison.OrdinalIgnoreCase)).Select(k => k.Key))
            ?? NearestName.Among(key, all.Select(k => k.Key));
        return wanted is null ? null : Join(all.First(k => k.Key == wanted).Section, wanted);
    }
}
