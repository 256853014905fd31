using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Interchange;

/// <summary>What is wrong with a folder of another program, in one line that names the file and what it is.</summary>
public class ForeignFaultTests
{
    private TemporaryFolder _folder = null!;

    private static IEnumerable<TestCaseData> Keys =>
    [
        new("model_type", "\"bert\"", "models of type 'bert' are not supported; those that are: llama, "),
        new("hidden_size", "null", "has no hidden_size, which the model needs"),
        new("hidden_size", "\"wide\"", "hidden_size = \"wide\": expected a whole number"),
        new("hidden_size", "16.5", "hidden_size = 16.5: expected a whole number"),
        new("hidden_size", "100000000", "model.width"),
        new("num_hidden_layers", "1000000000", "num_hidden_layers = 1000000000: expected 1 to 4096"),
        new("num_hidden_layers", "3", "'model.layers.2.input_layernorm.weight' is missing"),
        new("num_hidden_layers", "1", "holds 'model.layers.1.input_layernorm.weight', which the model of its configuration does not have"),
        new("num_key_value_heads", "3", "kvHeads"),
        new("intermediate_size", "25", "'model.layers.0.mlp.gate_proj.weight' is [24, 16]; its configuration expects [25, 16]"),
        new("rms_norm_eps", "Infinity", "normEpsilon"),
        new("hidden_act", "\"mish\"", "hidden_act = \"mish\": is an activation that is not supported"),
        new("tie_word_embeddings", "1", "tie_word_embeddings = 1: expected true or false"),
        new("quantization_config", "{\"bits\": 4}", "quantization_config = {\"bits\":4}: the weights are quantized in a form that is not read"),
        new("attn_logit_softcapping", "30.0", "attn_logit_softcapping = 30.0: would change the numbers"),
        new("residual_multiplier", "0.22", "residual_multiplier = 0.22: would change the numbers"),
        new("rope_scaling", "{\"rope_type\": \"tomorrow\"}", "rope_scaling.rope_type = \"tomorrow\""),
        new("layer_types", "[\"full_attention\", \"chunked_attention\"]", "layer_types"),
    ];

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCaseSource(nameof(Keys))]
    public void AKeyThatIsWrongIsNamed(string key, string value, string expected)
    {
        string path = ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama), file = Path.Combine(path, "config.json");
        JsonObject keys = ForeignFolders.Llama;
        keys.Remove(key);
        string text = keys.ToJsonString();
        File.WriteAllText(file, $"{text[..^1]}, \"{key}\": {value}}}");
        Assert.That(() => ForeignModel.TryOpen(path)?.Dispose(), Throws.InstanceOf<UserException>().With.Message.Contains(expected).And.Message.StartsWith(path));
    }

    [Test]
    public void KeysThatCannotChangeTheNumbersAreListed()
    {
        JsonObject keys = ForeignFolders.Llama;
        (keys["tomorrow"], keys["logit_scale"], keys["use_sliding_window"], keys["torch_dtype"]) = ("x", 1.0, false, "bfloat16");
        using ForeignModel model = ForeignModel.TryOpen(ForeignFolders.Write(_folder["llama"], keys, tensors: tensors => tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ([2], [1, 2])))!;
        Assert.That(model.Ignored, Is.EqualTo(new[] { "tomorrow = \"x\"", "logit_scale = 1", "use_sliding_window = false", "model.layers.0.self_attn.rotary_emb.inv_freq" }));
    }

    [Test]
    public void AHeadThatIsTheEmbeddingMayBeStoredTwice()
    {
        JsonObject keys = ForeignFolders.Llama;
        keys["tie_word_embeddings"] = true;
        using ForeignModel model = ForeignModel.TryOpen(ForeignFolders.Write(_folder["llama"], keys, tensors: tensors => tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]))!;
        Assert.That((model.Ignored, model.Config.Tied), Is.EqualTo((new[] { "lm_head.weight" }, true)));
    }

    [Test]
    public void WeightsThatAreNotThereOrNotReadable()
    {
        string path = ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama, files: 2), second = Path.Combine(path, "model-00002-of-00002.safetensors");
        byte[] sound = File.ReadAllBytes(second);
        File.WriteAllBytes(second, sound[..^4]);
        AssertFault(path, $"{second}: is not a sound safetensors file");
        File.Delete(second);
        AssertFault(path, $"{second}: is missing; model.safetensors.index.json names 2 files");
        File.WriteAllText(Path.Combine(path, "model.safetensors.index.json"), """{"weight_map": {"a": "../b"}}""");
        AssertFault(path, "weight_map names no file of this folder for 'a'");
        File.Delete(Path.Combine(path, "model.safetensors.index.json"));
        AssertFault(path, $"{path}: has a config.json of transformers but no model.safetensors");
        File.WriteAllText(Path.Combine(path, "pytorch_model.bin"), "");
        AssertFault(path, $"{path}: has only pytorch_model.bin, a pickle, which can run code when it is read");
        File.Delete(Path.Combine(path, "config.json"));
        File.WriteAllText(Path.Combine(path, "adapter_config.json"), "{}");
        AssertFault(path, $"{path}: holds an adapter");
    }

    [Test]
    public void FoldersOfThisProgramAreNotForeign()
    {
        File.WriteAllText(_folder["config.json"], new NanoFold.Engine.Runs.RunConfig().ToJson());
        Assert.That(ForeignModel.TryOpen(_folder.Path), Is.Null);
        Assert.That(ForeignModel.TryOpen(_folder["nothing"]), Is.Null);
    }

    [Test]
    public void DamagedFoldersAreClearFaults() => Damage(300);

    [Test]
    [Category("Long")]
    public void TenThousandDamagedFoldersAreClearFaults() => Damage(10_000);

    // Each is a fault of the user's files or a model that can be read; nothing else, and nothing that takes more memory than the files.
    private void Damage(int count)
    {
        string path = ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama, files: 2);
        string[] files = [.. new[] { "config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors" }.Select(name => Path.Combine(path, name))];
        byte[][] sound = Array.ConvertAll(files, File.ReadAllBytes);
        var random = new Random(15);
        int read = 0;
        for (int i = 0; i < count; i++)
        {
            int file = i % files.Length;
            // Of a file of tensors its header, not its numbers.
            byte[] head = file == 2 ? sound[2][..2000] : sound[file];
            File.WriteAllBytes(files[file], [.. Mutation.Of(head, random), .. sound[file][head.Length..]]);
            try
            {
                using ForeignModel? model = ForeignModel.TryOpen(path);
                read += model is null ? 0 : 1;
            }
            catch (UserException e)
            {
                Assert.That(e.Message, Does.Not.Contain('\n').And.Length.LessThan(2000));
            }

            File.WriteAllBytes(files[file], sound[file]);
        }

        Assert.That(read, Is.InRange(1, count - (count / 3)));
    }

    private static void AssertFault(string path, string expected) =>
        Assert.That(() => ForeignModel.TryOpen(path)?.Dispose(), Throws.InstanceOf<UserException>().With.Message.Contains(expected));
}
