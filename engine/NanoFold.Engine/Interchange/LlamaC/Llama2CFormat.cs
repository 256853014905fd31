using Microsoft.Win32.SafeHandles;
using NanoFold.Engine.Interchange.Gguf.Architectures;
using NanoFold.Engine.Interchange.Gguf.Blocks;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.LlamaC;

/// <summary>A model of llama2.c: a Llama of 32-bit numbers, whose positions turn neighbors.</summary>
internal sealed class Llama2CFormat : ForeignFormat
{
    /// <inheritdoc/>
    public override bool Matches(string path) => BinaryHead.Peek(path) is { } head && Llama2CHeader.Fits(head, path);

    /// <inheritdoc/>
    public override ForeignModel Open(string path)
    {
        (SafeFileHandle handle, BinaryHead head) = BinaryHead.Open(path);
        Llama2CHeader header;
        try
        {
            header = Llama2CHeader.Read(head, path);
        }
        catch
        {
            handle.Dispose();
            throw;
        }

        return LlamaCModel.Open(path, "llama2.c", header.Keys(), new GgufLlama(), Tensors(path, handle, header), () => TokenizerBeside(path, header.Vocab));
    }

    private static PlainTensors Tensors(string path, SafeFileHandle handle, Llama2CHeader header)
    {
        var tensors = new PlainTensors(path, handle, BlockType.Of(0)!, header.Start);
        foreach ((string? name, long[] shape) in header.Tensors())
        {
            if (name is null)
            {
                tensors.Skip(shape[0]);
            }
            else
            {
                tensors.Add(name, header.Layers, shape);
            }
        }

        return tensors;
    }

    // tokenizer.bin, or what the training script of llama2.c calls one of its own, where the number of tokens is the model's.
    private static Tokenizer? TokenizerBeside(string path, int vocab)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        foreach (string name in new[] { $"{Path.GetFileNameWithoutExtension(path)}-tok{vocab}.bin", $"tok{vocab}.bin", "tokenizer.bin" })
        {
            string file = Path.Combine(folder, name);
            if (File.Exists(file) && Tokenizer.Load(file) is { } found && found.Vocab == vocab)
            {
                return found;
            }
        }

        return null;
    }
}
