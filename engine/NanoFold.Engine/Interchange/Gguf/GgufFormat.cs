using NanoFold.Kernels.Memory;

namespace NanoFold.Engine.Interchange.Gguf;

/// <summary>A file of llama.cpp: GGUF, told by its first bytes.</summary>
internal sealed class GgufFormat : ForeignFormat
{
    /// <inheritdoc/>
    public override bool Matches(string path)
    {
        if (!File.Exists(path) || FileKind.IsSpecial(path))
        {
            return false;
        }

        try
        {
            using FileStream file = File.OpenRead(path);
            byte[] magic = new byte[GgufFile.Magic.Length];
            int count = file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
            return Path.GetExtension(path).Equals(".gguf", StringComparison.OrdinalIgnoreCase) || magic.AsSpan(0, count).SequenceEqual(GgufFile.Magic);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public override ForeignModel Open(string path) => GgufModel.Open(path);
}
