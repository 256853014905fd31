using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.HuggingFace;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Tests.Suites;
using PublishedArchitecture = NanoFold.Engine.Interchange.HuggingFace.Architectures.Architecture;

namespace NanoFold.Tests.Interchange;

/// <summary>Small folders as the library transformers would save them, of seeded numbers.</summary>
internal static class ForeignFolders
{
    /// <summary>The keys of a small Llama whose tokens are bytes.</summary>
    public static JsonObject Llama => JsonNode.Parse("""
        {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": false, "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02,
         "intermediate_size": 24, "max_position_embeddings": 32, "mlp_bias": false, "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2,
         "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 500.0, "tie_word_embeddings": false, "vocab_size": 256, "use_cache": true}
        """)!.AsObject();

    /// <summary>Writes a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="files">Of how many files its weights are.</param>
    /// <param name="tensors">Changes what is stored before it is written.</param>
    /// <param name="seed">Of its numbers.</param>
    public static string Write(string path, JsonObject config, int files = 1, Action<Dictionary<string, (long[] Shape, float[] Values)>>? tensors = null, string seed = "")
    {
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "config.json"), config.ToJsonString());
        Dictionary<string, (long[] Shape, float[] Values)> stored = Tensors(config, seed);
        tensors?.Invoke(stored);
        string[] names = [.. stored.Keys];
        for (int file = 0; file < files; file++)
        {
            var writer = new SafeTensorsWriter();
            writer.SetMetadata("format", "pt");
            foreach (string name in names.Where((_, i) => i % files == file))
            {
                writer.Add(name, stored[name].Shape, () => stored[name].Values);
            }

            writer.Save(Path.Combine(path, NameOf(file, files)));
        }

        if (files > 1)
        {
            var map = new JsonObject(names.Select((name, i) => KeyValuePair.Create(name, (JsonNode?)NameOf(i % files, files))));
            File.WriteAllText(Path.Combine(path, "model.safetensors.index.json"), new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = 0 }, ["weight_map"] = map }.ToJsonString());
        }

        return path;
    }

    /// <summary>Gives a folder a tokenizer of bytes.</summary>
    public static string WithTokenizer(string path)
    {
        new ByteTokenizer().Save(path);
        return path;
    }

    private static string NameOf(int file, int files) => files == 1 ? "model.safetensors" : $"model-{file + 1:D5}-of-{files:D5}.safetensors";

    private static Dictionary<string, (long[] Shape, float[] Values)> Tensors(JsonObject config, string seed)
    {
        var keys = new ForeignConfig("config.json", config);
        PublishedArchitecture architecture = PublishedArchitecture.Of(keys);
        ModelConfig model = architecture.Read(keys).Resolve();
        Dictionary<string, int> counts = PublishedArchitecture.Parameters(model).ToDictionary(parameter => parameter.Name, parameter => (int)parameter.Count);
        var theirs = new RuledTensors(architecture.Tensors(model), name => [.. Numbers.Uniform(seed + name, counts[name], -0.3, 0.3).Select(v => (float)v)]);
        return theirs.Tensors.ToDictionary(tensor => tensor.Name, tensor => (tensor.Shape.ToArray(), theirs.Read(tensor.Name)));
    }
}
