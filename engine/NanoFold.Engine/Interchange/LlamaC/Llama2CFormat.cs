using System.Text.Json.Nodes;
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

        var keys = new JsonObject
        {
            ["model_type"] = "llama",
            ["vocab_size"] = header.Vocab,
            ["hidden_size"] = header.Width,
            ["intermediate_size"] = header.Hidden,
            ["num_hidden_layers"] = header.Layers,
            ["num_attention_heads"] = header.Heads,
            ["num_key_value_heads"] = header.KvHeads,
            ["max_position_embeddings"] = header.Context,
            ["rms_norm_eps"] = 1e-5,
            ["rope_theta"] = 10000,
            ["tie_word_embeddings"] = header.Tied,
        };
        return LlamaCModel.Open(path, "llama2.c", keys, new GgufLlama(), Tensors(path, handle, header), () => TokenizerBeside(path, header.Vocab));
    }

    private static PlainTensors Tensors(string path, SafeFileHandle handle, Llama2CHeader header)
    {
        var tensors = new PlainTensors(path, handle, BlockType.Of(0)!, header.Start);
        long width = header.Width, hidden = header.Hidden, keys = (long)header.KvHeads * header.HeadDim;
        if (header.Version == 0)
        {
            Add("token_embd", header.Vocab, width);
            Add("blk.*.attn_norm", width);
            AddAttention();
            Add("blk.*.ffn_norm", width);
            AddFeedForward();
            Add("output_norm", width);
            tensors.Skip((long)header.Context * (header.HeadDim / 2) * 2);
        }
        else
        {
            Add("blk.*.attn_norm", width);
            Add("blk.*.ffn_norm", width);
            Add("output_norm", width);
            Add("token_embd", header.Vocab, width);
            AddAttention();
            AddFeedForward();
        }

        if (!header.Tied)
        {
            Add("output", header.Vocab, width);
        }

        return tensors;

        void AddAttention()
        {
            Add("blk.*.attn_q", width, width);
            Add("blk.*.attn_k", keys, width);
            Add("blk.*.attn_v", keys, width);
            Add("blk.*.attn_output", width, width);
        }

        void AddFeedForward()
        {
            Add("blk.*.ffn_gate", hidden, width);
            Add("blk.*.ffn_down", width, hidden);
            Add("blk.*.ffn_up", hidden, width);
        }

        void Add(string name, params IReadOnlyList<long> shape) => tensors.Add($"{name}.weight", header.Layers, shape);
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
