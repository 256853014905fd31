using System.Text;

namespace NanoFold.Engine.Interchange.HuggingFace;

/// <summary>A folder as the library transformers saves it: <c>config.json</c> with a <c>model_type</c>, safetensors, tokenizer files.</summary>
internal sealed class HuggingFaceFormat : ForeignFormat
{
    /// <summary>The configuration's file.</summary>
    public const string ConfigFile = "config.json";

    // A configuration of ours is never longer than this, and says what it is at its start.
    private const int LongestConfig = 1 << 20;

    /// <inheritdoc/>
    public override bool Matches(string path)
    {
        string config = Path.Combine(path, ConfigFile);
        if (!File.Exists(config))
        {
            return Directory.Exists(path) && File.Exists(Path.Combine(path, "adapter_config.json"));
        }

        try
        {
            using FileStream file = File.OpenRead(config);
            var bytes = new byte[LongestConfig];
            string text = Encoding.UTF8.GetString(bytes, 0, file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
            return IsNamed(text, "model_type") || IsNamed(text, "architectures") || (IsNamed(text, "n_embd") && IsNamed(text, "n_layer"));
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public override ForeignModel Open(string path) => File.Exists(Path.Combine(path, ConfigFile))
        ? HuggingFaceModel.Open(Path.TrimEndingDirectorySeparator(path))
        : throw new UserException($"{path}: holds an adapter (adapter_config.json), not a model; name the model that it belongs to");

    private static bool IsNamed(string text, string key) => text.Contains($"\"{key}\"", StringComparison.Ordinal);
}
