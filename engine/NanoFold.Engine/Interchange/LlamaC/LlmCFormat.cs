using System.Text.Json.Nodes;
using Microsoft.Win32.SafeHandles;
using NanoFold.Engine.Interchange.Gguf.Architectures;
using NanoFold.Engine.Interchange.Gguf.Blocks;

namespace NanoFold.Engine.Interchange.LlamaC;

/// <summary>
/// A model of llm.c (https://github.com/karpathy/llm.c): a GPT-2 of 32 bits (version 3) or bfloat16 (5) after a head of 256 numbers: magic, version, context, vocabulary, layers,
/// heads, width, rows of the embedding. Matrices lie [out, in], those of all layers together; the rows of the embedding beyond the vocabulary are padding.
/// </summary>
internal sealed class LlmCFormat : ForeignFormat
{
    private const int Magic = 20240326, Start = BinaryHead.Most * sizeof(int);
    private const int MostLayers = 4096, MostWidth = 1 << 20, MostVocab = 1 << 24;

    /// <inheritdoc/>
    public override bool Matches(string path) => BinaryHead.Peek(path) is { Numbers: [Magic, ..] };

    /// <inheritdoc/>
    public override ForeignModel Open(string path)
    {
        (SafeFileHandle handle, BinaryHead head) = BinaryHead.Open(path);
        PlainTensors tensors;
        try
        {
            tensors = Tensors(path, handle, head);
        }
        catch
        {
            handle.Dispose();
            throw;
        }

        var keys = new JsonObject
        {
            ["model_type"] = "gpt2",
            ["n_positions"] = head.Numbers[2],
            ["vocab_size"] = head.Numbers[3],
            ["n_layer"] = head.Numbers[4],
            ["n_head"] = head.Numbers[5],
            ["n_embd"] = head.Numbers[6],
            ["layer_norm_epsilon"] = 1e-5,
            ["activation_function"] = "gelu_new",
            ["tie_word_embeddings"] = true,
        };
        return LlamaCModel.Open(path, "llm.c gpt2", keys, new GgufGpt2(), tensors, () => LlmCTokenizer.Beside(path, head.Numbers[3]));
    }

    private static PlainTensors Tensors(string path, SafeFileHandle handle, BinaryHead head)
    {
        if (head.Numbers.Length < BinaryHead.Most)
        {
            throw new UserException($"{path}: is not a sound llm.c file: it has only {head.Length} bytes");
        }

        BlockType type = head.Numbers[1] switch
        {
            3 => BlockType.Of(0)!,
            5 => BlockType.Of(30)!,
            int version => throw new UserException($"{path}: is an llm.c file of version {version}; those that are supported: 3 (32 bits) and 5 (bfloat16)"),
        };
        (long context, long vocab, int layers, long heads, long width, long rows) = (head.Numbers[2], head.Numbers[3], head.Numbers[4], head.Numbers[5], head.Numbers[6], head.Numbers[7]);
        if (context is < 1 or > MostVocab || vocab < 1 || rows < vocab || rows > MostVocab || layers is < 1 or > MostLayers || heads < 1 || width is < 1 or > MostWidth || width % heads != 0)
        {
            throw new UserException($"{path}: is not a sound llm.c file: its sizes make no model");
        }

        long elements = ((rows + context + 2) * width) + (layers * ((12 * width * width) + (13 * width)));
        if (Start + (elements * type.Bytes) != head.Length)
        {
            throw new UserException($"{path}: is not a sound llm.c file: it has {head.Length} bytes where its sizes make {Start + (elements * type.Bytes)}");
        }

        var tensors = new PlainTensors(path, handle, type, Start);
        tensors.Add("token_embd.weight", layers, vocab, width);
        tensors.Skip((rows - vocab) * width);
        tensors.Add("position_embd.weight", layers, context, width);
        AddBoth("attn_norm", width);
        AddBoth("attn_qkv", 3 * width, width);
        AddBoth("attn_output", width, width);
        AddBoth("ffn_norm", width);
        AddBoth("ffn_up", 4 * width, width);
        AddBoth("ffn_down", width, 4 * width);
        tensors.Add("output_norm.weight", layers, width);
        tensors.Add("output_norm.bias", layers, width);
        return tensors;

        void AddBoth(string name, params IReadOnlyList<long> shape)
        {
            tensors.Add($"blk.*.{name}.weight", layers, shape);
            tensors.Add($"blk.*.{name}.bias", layers, shape[0]);
        }
    }
}
