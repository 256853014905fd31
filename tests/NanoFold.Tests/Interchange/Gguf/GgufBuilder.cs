using System.Runtime.InteropServices;
using System.Text;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>Small GGUF files, byte by byte.</summary>
internal sealed class GgufBuilder
{
    private const int Alignment = 32;

    private readonly List<(string Key, byte[] Bytes)> _entries = [];
    private readonly List<(string Name, long[] Shape, uint Type, byte[] Data)> _tensors = [];

    /// <summary>A Llama of one layer whose tokens are the bytes and two more, of seeded numbers.</summary>
    public static GgufBuilder Llama(bool tokenizer = true)
    {
        const int Width = 8, Hidden = 12;
        string[] tokens = [.. Enumerable.Range(0, 256).Select(value => ByteLevel(value)), "ab", "<|end|>"];
        GgufBuilder file = new GgufBuilder().Text("general.architecture", "llama").Text("general.name", "small").Number("llama.block_count", 1u).Number("llama.context_length", 32u)
            .Number("llama.embedding_length", Width).Number("llama.feed_forward_length", Hidden).Number("llama.attention.head_count", 2u).Number("llama.attention.head_count_kv", 1u)
            .Number("llama.attention.layer_norm_rms_epsilon", 1e-5f).Number("llama.rope.freq_base", 500f).Number("llama.rope.dimension_count", 4u).Number("llama.vocab_size", (uint)tokens.Length);
        if (tokenizer)
        {
            file.Text("tokenizer.ggml.model", "gpt2").Text("tokenizer.ggml.pre", "gpt-2").Texts("tokenizer.ggml.tokens", tokens)
                .Numbers("tokenizer.ggml.token_type", 5, [.. tokens.Select(token => token == "<|end|>" ? 3 : 1)]).Texts("tokenizer.ggml.merges", "a b").Number("tokenizer.ggml.eos_token_id", 257u);
        }

        file.Reals("token_embd.weight", [tokens.Length, Width]).Reals("output_norm.weight", [Width]).Reals("output.weight", [tokens.Length, Width]);
        foreach ((string name, long[] shape) in new (string, long[])[]
        {
            ("attn_norm", [Width]), ("attn_q", [Width, Width]), ("attn_k", [4, Width]), ("attn_v", [4, Width]), ("attn_output", [Width, Width]),
            ("ffn_norm", [Width]), ("ffn_gate", [Hidden, Width]), ("ffn_up", [Hidden, Width]), ("ffn_down", [Width, Hidden]),
        })
        {
            file.Reals($"blk.0.{name}.weight", shape);
        }

        return file;
    }

    public GgufBuilder Text(string key, string value) => Entry(key, 8, Counted(Encoding.UTF8.GetBytes(value)));

    public GgufBuilder Number(string key, uint value) => Entry(key, 4, BitConverter.GetBytes(value));

    public GgufBuilder Number(string key, float value) => Entry(key, 6, BitConverter.GetBytes(value));

    public GgufBuilder Flag(string key, bool value) => Entry(key, 7, [(byte)(value ? 1 : 0)]);

    public GgufBuilder Texts(string key, params string[] values) =>
        Entry(key, 9, [.. BitConverter.GetBytes(8u), .. BitConverter.GetBytes((ulong)values.Length), .. values.SelectMany(value => Counted(Encoding.UTF8.GetBytes(value)))]);

    public GgufBuilder Numbers(string key, uint kind, int[] values) =>
        Entry(key, 9, [.. BitConverter.GetBytes(kind), .. BitConverter.GetBytes((ulong)values.Length), .. MemoryMarshal.AsBytes(values.AsSpan())]);

    public GgufBuilder Without(string key)
    {
        _entries.RemoveAll(entry => entry.Key == key);
        _tensors.RemoveAll(tensor => tensor.Name == key);
        return this;
    }

    /// <summary>A tensor of some type.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Row-major.</param>
    /// <param name="type">Its number.</param>
    /// <param name="data">Its bytes.</param>
    public GgufBuilder Tensor(string name, long[] shape, uint type, byte[] data)
    {
        _tensors.Add((name, shape, type, data));
        return this;
    }

    /// <summary>A tensor of seeded numbers.</summary>
    public GgufBuilder Reals(string name, long[] shape) => Reals(name, shape, Values(name, shape));

    /// <summary>A tensor of numbers.</summary>
    public GgufBuilder Reals(string name, long[] shape, float[] values) => Tensor(name, shape, 0, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    /// <summary>The numbers that <see cref="Reals(string, long[])"/> gives a tensor.</summary>
    public static float[] Values(string name, long[] shape) =>
        [.. Suites.Numbers.Uniform(name, (int)shape.Aggregate(1L, (product, extent) => product * extent), -0.5, 0.5).Select(value => (float)value)];

    public byte[] ToBytes(int alignment = Alignment)
    {
        using var file = new MemoryStream();
        using var writer = new BinaryWriter(file);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)_tensors.Count);
        writer.Write((ulong)_entries.Count);
        _entries.ForEach(entry => writer.Write(entry.Bytes));
        ulong offset = 0;
        foreach ((string name, long[] shape, uint type, byte[] data) in _tensors)
        {
            writer.Write(Counted(Encoding.UTF8.GetBytes(name)));
            writer.Write((uint)shape.Length);
            foreach (long extent in shape.Reverse())
            {
                writer.Write(extent);
            }

            writer.Write(type);
            writer.Write(offset);
            offset += (ulong)((data.Length + alignment - 1) / alignment * alignment);
        }

        foreach ((_, _, _, byte[] data) in _tensors)
        {
            writer.Write(new byte[(alignment - (int)(file.Length % alignment)) % alignment]);
            writer.Write(data);
            writer.Flush();
        }

        return file.ToArray();
    }

    /// <summary>Writes the file and gives its path.</summary>
    public string Save(string path)
    {
        File.WriteAllBytes(path, ToBytes());
        return path;
    }

    private static byte[] Counted(byte[] text) => [.. BitConverter.GetBytes((ulong)text.Length), .. text];

    // Bytes that cannot be seen stand for characters from U+0100 on, in their order.
    private static string ByteLevel(int value)
    {
        bool IsSeen(int b) => b is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255);
        return ((char)(IsSeen(value) ? value : 256 + Enumerable.Range(0, value).Count(b => !IsSeen(b)))).ToString();
    }

    private GgufBuilder Entry(string key, uint kind, byte[] value)
    {
        _entries.RemoveAll(entry => entry.Key == key);
        _entries.Add((key, [.. Counted(Encoding.UTF8.GetBytes(key)), .. BitConverter.GetBytes(kind), .. value]));
        return this;
    }
}
