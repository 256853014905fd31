using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Suites;
using PublishedArchitecture = NanoFold.Engine.Interchange.HuggingFace.Architectures.Architecture;

namespace NanoFold.Tests.Interchange;

/// <summary>Models of ours in the files of other programs, and read again.</summary>
[NonParallelizable]
public class ExportTests
{
    private const string Models = "peers/models", MixerModels = "peers/mixer-models", Stories = "stories260K.bin";

    private TemporaryFolder _folder = null!;

    private static IEnumerable<string> Published =>
        [.. SharedData.Cases(Models).Select(name => $"{Models}/{name}"), .. SharedData.Cases(MixerModels).Select(name => $"{MixerModels}/{name}")];

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCaseSource(nameof(Published))]
    public void AFolderOfTransformersIsTheSameModelWhereItIsWrittenAgain(string name)
    {
        string source = SharedData.Path(name);
        CommandLine.Json("export", "--model", source, "--format", "huggingface", "--out", _folder["theirs"]);
        AssertSameModel(_folder["theirs"], source);
        using SafeTensorsFile file = SafeTensorsFile.Open(_folder["theirs/model.safetensors"]);
        Assert.That(file.Metadata["format"], Is.EqualTo("pt"));
        JsonObject keys = JsonNode.Parse(File.ReadAllText(_folder["theirs/config.json"]))!.AsObject();
        Assert.That((keys["bos_token_id"], (string?)keys["torch_dtype"]), Is.EqualTo(((JsonNode?)null, "float32")));
    }

    [Test]
    public void AFolderHasWhatTransformersReads()
    {
        string source = ForeignFolders.WithTokenizer(ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama));
        JsonObject result = CommandLine.Json("export", "--model", source, "--format", "huggingface", "--type", "bf16", "--out", _folder["out"]);
        string[] files = ["config.json", "model.safetensors", "generation_config.json", "tokenizer.json", "tokenizer_config.json"];
        Assert.That(result["files"]!.AsArray().Select(file => Path.GetFileName((string)file!["path"]!)), Is.EqualTo(files));
        Assert.That(Directory.GetFiles(_folder["out"]).Select(Path.GetFileName), Is.EquivalentTo(files));
        Assert.That(((string)result["format"]!, (string)result["type"]!), Is.EqualTo(("Hugging Face llama", "bf16")));
        JsonObject keys = JsonNode.Parse(File.ReadAllText(_folder["out/config.json"]))!.AsObject();
        foreach ((string key, JsonNode? node) in ForeignFolders.Llama.Where(pair => pair.Key is not ("initializer_range" or "rope_scaling")))
        {
            Assert.That(JsonNode.DeepEquals(keys[key], node), Is.True, $"{key}: {keys[key]}");
        }

        Assert.That(((string)keys["dtype"]!, (int)keys["head_dim"]!), Is.EqualTo(("bfloat16", 4)));
        using ForeignModel before = ForeignModel.TryOpen(source)!, after = ForeignModel.TryOpen(_folder["out"])!;
        float[] full = Values(before, "model.layers.1.mlp.up_proj.weight"), halves = Values(after, "model.layers.1.mlp.up_proj.weight");
        Assert.That(after.Weights.Find("model.layers.1.mlp.up_proj.weight")!.Type, Is.EqualTo("BF16"));
        Assert.That(halves, Is.EqualTo(full).Within(0.3 / 256).And.Not.EqualTo(full));
        Assert.That(halves.Select(value => BitConverter.SingleToUInt32Bits(value) & 0xFFFF), Is.All.Zero);
        Assert.That(after.Tokenizer!.Encode("a\n€"), Is.EqualTo(before.Tokenizer!.Encode("a\n€")));
    }

    [Test]
    public void WhatHasNoPlaceIsNamedAndNothingIsWritten()
    {
        using (ForeignModel model = ForeignModel.TryOpen(ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama))!)
        {
            Assert.That(PublishedArchitecture.For(model.Config).Name, Is.EqualTo("llama"));
            Assert.That(() => PublishedArchitecture.For(model.Config with { Residual = new HyperConnectionsConfig() }), Throws.TypeOf<UserException>().With.Message.StartsWith(
                "no architecture of transformers has all parts of this model; the nearest, llama, cannot express model.residual"));
        }

        string large = ForeignFolders.Write(_folder["large"], ForeignFolders.Llama, tensors: tensors => tensors["model.norm.weight"].Values[2] = 70000);
        Directory.CreateDirectory(_folder["full"]);
        File.WriteAllText(_folder["full/note.txt"], "mine");
        (string[] Words, int Code, string Error)[] cases =
        [
            (["--format", "huggingface", "--type", "f16", "--out", _folder["new"]], 1, "'model.norm.weight' has values as large as 70000, more than f16 holds; write bf16 or f32"),
            (["--format", "huggingface", "--out", _folder["full"]], 1, $"--out {_folder["full"]}: is there already and holds something; name another folder"),
            (["--format", "npz", "--type", "f16", "--out", _folder["a.npz"]], 2, "--type f16: npz holds f32"),
            (["--format", "npz", "--out", _folder["full"]], 1, $"--out {_folder["full"]}: is a folder; name a file"),
            (["--format", "onyx", "--out", _folder["a"]], 2, "--format onyx: is not known"),
            (["--format", "npz", "--type", "f8", "--out", _folder["a"]], 2, "--type f8: is not known"),
            (["--format", "npz"], 2, "--out is needed"),
            (["--format", "llama2.c", "--out", _folder["a.bin"]], 1, "llama2.c cannot express model.ropeBase = 500"),
        ];
        foreach ((string[] words, int code, string error) in cases)
        {
            CommandLine run = CommandLine.Run(["export", "--model", large, .. words]);
            Assert.That((run.Code, run.ErrorLines[0]), Is.EqualTo((code, run.ErrorLines[0])));
            Assert.That(run.ErrorLines[0], Does.StartWith($"nanofold: {error}"));
        }

        Assert.That(Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName), Is.EquivalentTo(new[] { "llama", "large", "full" }));
    }

    [Test]
    public void Llama2CWritesTheRealModelAsItWasImported()
    {
        string source = SharedData.Path(Stories);
        CommandLine.Json("import", source, "--out", _folder["ours"]);
        JsonObject result = CommandLine.Json("export", "--model", _folder["ours"], "--format", "llama2.c", "--out", _folder["s.bin"]);
        Assert.That(result["files"]!.AsArray().Select(file => (string)file!["path"]!), Is.EqualTo(new[] { _folder["s.bin"], _folder["s-tok512.bin"] }));
        AssertSameModel(_folder["s.bin"], source);
        byte[] before = File.ReadAllBytes(source), after = File.ReadAllBytes(_folder["s.bin"]);
        // The tables of positions are the last numbers of a file whose head is the embedding, and the only ones that are computed anew.
        int tables = before.Length - (512 * 4 * 2 * sizeof(float));
        Assert.That(after.AsSpan(0, tables).SequenceEqual(before.AsSpan(0, tables)), Is.True);
        Assert.That(Floats(after[tables..]), Is.EqualTo(Floats(before[tables..])).Within(1e-4));
        using ForeignModel read = ForeignModel.TryOpen(_folder["s.bin"])!;
        Assert.That(read.Tokenizer!.Encode("Once upon a time,\n a déjà vu"), Is.EqualTo(Tokenizer.Load(SharedData.Path("stories260K-tok512.bin")).Encode("Once upon a time,\n a déjà vu")));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Llama2CTakesHeadsOfItsOwn(bool tied)
    {
        JsonObject keys = ForeignFolders.Llama;
        (keys["rope_theta"], keys["tie_word_embeddings"]) = (10000, tied);
        string source = ForeignFolders.WithTokenizer(ForeignFolders.Write(_folder["llama"], keys));
        CommandLine run = CommandLine.Run("export", "--model", source, "--format", "llama2.c", "--out", _folder["m.bin"]);
        Assert.That((run.Code, run.Error), Is.EqualTo((0, "nanofold: the tokenizer (byte) has no place in llama2.c, which knows SentencePiece BPE of as many tokens as the model has\n")));
        AssertSameModel(_folder["m.bin"], source);
        keys["rms_norm_eps"] = 1e-6;
        CommandLine refused = CommandLine.Run("export", "--model", ForeignFolders.Write(_folder["other"], keys), "--format", "llama2.c", "--out", _folder["n.bin"]);
        Assert.That((refused.Code, refused.Error), Is.EqualTo((1, "nanofold: llama2.c cannot express model.normEpsilon = 1E-06\n")));
    }

    [Test]
    public void NpzHasEveryArrayUnderOurNames()
    {
        string source = ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama);
        CommandLine.Json("export", "--model", source, "--format", "npz", "--out", _folder["m.npz"]);
        using NpzReader arrays = NpzReader.Open(_folder["m.npz"]);
        using ForeignModel model = ForeignModel.TryOpen(source)!;
        Assert.That(arrays.Names, Is.EqualTo(model.Weights.All.Select(weight => weight.Name).Append("config")));
        foreach (WeightInfo weight in model.Weights.All)
        {
            (int[] shape, double[] values) = arrays.Read(weight.Name)!.Value;
            Assert.That(shape, Is.EqualTo(weight.Shape), weight.Name);
            Numbers.AssertSameBits(values, [.. Values(model, weight.Name).Select(value => (double)value)], weight.Name);
        }
    }

    /// <summary>What the graph computes is a matter for ONNX Runtime, in tests/NanoFold.Judges.</summary>
    [Test]
    public void OnnxHoldsTheWeightsOfDenseModelsAndRefusesOthers()
    {
        string source = ForeignFolders.WithTokenizer(ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama));
        CommandLine run = CommandLine.Run("export", "--model", source, "--format", "onnx", "--out", _folder["m.onnx"]);
        Assert.That((run.Code, run.Error), Is.EqualTo((0, "nanofold: the tokenizer has no place in ONNX\n")));
        byte[] file = File.ReadAllBytes(_folder["m.onnx"]);
        Assert.That(file[..12], Is.EqualTo(new byte[] { 0x08, 8, 0x12, 8, (byte)'n', (byte)'a', (byte)'n', (byte)'o', (byte)'f', (byte)'o', (byte)'l', (byte)'d' }), "version 8 of the format, and who wrote it");
        using (ForeignModel model = ForeignModel.TryOpen(source)!)
        {
            float[] embedding = Values(model, "model.embed_tokens.weight");
            Assert.That(file.AsSpan().IndexOf(System.Runtime.InteropServices.MemoryMarshal.AsBytes(embedding.AsSpan())), Is.Positive);
        }

        JsonObject keys = ForeignFolders.Llama;
        (keys["model_type"], keys["num_local_experts"], keys["num_experts_per_tok"]) = ("mixtral", 4, 2);
        CommandLine refused = CommandLine.Run("export", "--model", ForeignFolders.Write(_folder["mixtral"], keys), "--format", "onnx", "--out", _folder["n.onnx"]);
        Assert.That((refused.Code, refused.Error), Is.EqualTo((1, "nanofold: onnx cannot express a model of the architecture mixtral; those that it can: llama, mistral, qwen2, qwen3, smollm3, phi3, gpt2\n")));
        Assert.That(File.Exists(_folder["n.onnx"]), Is.False);
    }

    // The same settings, as far as they have an effect, and the same bits.
    private static void AssertSameModel(string path, string expected)
    {
        using ForeignModel after = ForeignModel.TryOpen(path)!, before = ForeignModel.TryOpen(expected)!;
        Assert.That(Settings(after.Config), Is.EqualTo(Settings(before.Config)));
        Assert.That(after.Weights.All.Select(weight => weight.Name), Is.EqualTo(before.Weights.All.Select(weight => weight.Name)));
        foreach (WeightInfo weight in before.Weights.All)
        {
            Assert.That(Values(after, weight.Name).Select(BitConverter.SingleToInt32Bits), Is.EqualTo(Values(before, weight.Name).Select(BitConverter.SingleToInt32Bits)), weight.Name);
        }
    }

    private static string Settings(ModelConfig config) => new RunConfig { Model = config }.ToJson();

    private static float[] Values(ForeignModel model, string name)
    {
        var values = new float[model.Weights.Find(name)!.Count];
        model.Weights.Read(name, values);
        return values;
    }

    private static float[] Floats(byte[] bytes) => [.. Enumerable.Range(0, bytes.Length / sizeof(float)).Select(i => BitConverter.ToSingle(bytes, i * sizeof(float)))];
}
