using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Kernels;

namespace NanoFold.Tests.Generation;

/// <summary>
/// Reads llama2.c's legacy model file: seven int32 (width, hidden, layers, heads, key/value heads, vocabulary, context), then float32 weights
/// by kind over all layers. A positive vocabulary means that the head is the embedding.
/// </summary>
internal static class Llama2C
{
    private const int HeaderBytes = 7 * sizeof(int);

    public static Transformer Read(string path, Backend backend)
    {
        byte[] file = File.ReadAllBytes(path);
        if (file.Length < HeaderBytes)
        {
            throw new InvalidDataException($"{path}: {file.Length} bytes are too few for a header");
        }

        int[] header = [.. Enumerable.Range(0, 7).Select(i => BitConverter.ToInt32(file, i * sizeof(int)))];
        int width = header[0], hidden = header[1], layers = header[2], heads = header[3], kvHeads = header[4], vocab = header[5], context = header[6];
        if (header.Any(n => n is < 1 or > 1 << 20) || width % heads != 0 || heads % kvHeads != 0)
        {
            throw new InvalidDataException($"{path}: the header {string.Join(", ", header)} is not one of a model with a tied head");
        }

        long kv = (long)width / heads * kvHeads, head = width / heads;
        long perLayer = 2L * width + 2L * width * width + 2L * kv * width + 3L * hidden * width;
        long expected = HeaderBytes + sizeof(float) * ((long)vocab * width + layers * perLayer + width + context * head);
        if (file.Length != expected)
        {
            throw new InvalidDataException($"{path}: {file.Length} bytes; its header asks for {expected}");
        }

        var model = new Transformer(
            new ModelConfig
            {
                Layers = layers, Width = width, Hidden = hidden, Heads = heads, KvHeads = kvHeads, Vocab = vocab, Context = context,
                Tied = true, RopeInterleaved = true, NormEpsilon = 1e-5, FeedForward = new SwiGluConfig(),
            },
            backend);
        int at = HeaderBytes;
        Take("model.embed_tokens.weight");
        foreach (string kind in (string[])[
            "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "post_attention_layernorm", "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj"])
        {
            for (int layer = 0; layer < layers; layer++)
            {
                Take($"model.layers.{layer}.{kind}.weight");
            }
        }

        Take("model.norm.weight");
        return model;

        void Take(string name)
        {
            var values = new float[model.Store[name].Layout.Count];
            Buffer.BlockCopy(file, at, values, 0, values.Length * sizeof(float));
            at += values.Length * sizeof(float);
            TinyModels.Write(model, name, values);
        }
    }
}
