using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>
/// Settings of a <typeparamref name="T"/> within another record, such as what a variant changes of a base: merged as layers are, and checked where they are added
/// to a <see cref="ConfigTree{T}"/>.
/// </summary>
public sealed class ConfigOverlay<T> : IConfigOverlay
{
    /// <summary>Nested as in a file.</summary>
    public JsonObject Tree { get; private set; } = [];

    /// <summary>Where each of them stands, by its key in a <typeparamref name="T"/>.</summary>
    internal ConfigPlaces Places { get; private set; } = new();

    /// <summary>Settings that are there already.</summary>
    /// <param name="tree">Nested as in a file.</param>
    /// <param name="places">Where they stand; null where they were made.</param>
    internal static ConfigOverlay<T> Of(JsonObject tree, ConfigPlaces? places = null) => new() { Tree = tree, Places = places ?? new ConfigPlaces() };

    void IConfigOverlay.Fill(JsonObject tree, ConfigPlaces places) => (Tree, Places) = (tree, places);
}

/// <summary>What readers and writers know of <see cref="ConfigOverlay{T}"/>.</summary>
internal interface IConfigOverlay
{
    JsonObject Tree { get; }

    void Fill(JsonObject tree, ConfigPlaces places);
}
