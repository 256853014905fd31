namespace NanoFold.Engine.Interchange.Peft;

/// <summary>A folder that holds an adapter as the library peft saves it, and no model of its own.</summary>
public static class PeftFolder
{
    /// <summary>Its settings.</summary>
    public const string ConfigFile = "adapter_config.json";

    /// <summary>Its values.</summary>
    public const string WeightsFile = "adapter_model.safetensors";

    /// <summary>What all names of its tensors begin with, before the name that the module has in the base.</summary>
    internal const string Prefix = "base_model.model.";

    /// <summary>Whether a path is that of one; nothing is read.</summary>
    public static bool Is(string path) => File.Exists(Path.Combine(path, ConfigFile)) && !File.Exists(Path.Combine(path, "config.json"));

    /// <summary>Where the model lies that an adapter names as its base: as it says, or beside it.</summary>
    /// <exception cref="UserException">It names none, or one that is not there.</exception>
    public static string FindBase(string folder)
    {
        string named = PeftConfig.Read(Path.Combine(folder, ConfigFile)).Base;
        string full = Path.GetFullPath(folder);
        string[] places = named.Length == 0 ? [] : [Path.Combine(full, named), Path.Combine(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(full)) ?? full, named), named];
        return Array.Find(places, Path.Exists)
            ?? throw new UserException($"{folder}: holds an adapter {(named.Length == 0 ? "that names no base" : $"of {named}, which is not there")}; name the model that it belongs to: --model MODEL --adapter {folder}");
    }
}
