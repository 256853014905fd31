using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange;

/// <summary>A folder of another program at once, imported, begun with, and as checkpoints of a run.</summary>
[NonParallelizable]
public class ImportTests
{
    private readonly CpuBackend _backend = new(1);
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [OneTimeTearDown]
    public void Close() => _backend.Dispose();

    [TestCase(1)]
    [TestCase(3)]
    public void AnImportedFolderHasTheValuesOfTheOneItCameFrom(int files)
    {
        string source = ForeignFolders.WithTokenizer(ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama, files));
        JsonObject result = CommandLine.Json("import", source, "--out", _folder["ours"]);
        Assert.That((int)result["parameters"]!, Is.EqualTo(2 * 256 * 16 + 16 + 2 * (2 * 16 + 16 * 16 * 2 + 16 * 8 * 2 + 3 * 16 * 24)));
        Assert.That(((string)result["format"]!, (string)result["tokenizer"]!, (int)result["context"]!), Is.EqualTo(("Hugging Face llama", "byte", 32)));
        Assert.That(Directory.GetFiles(_folder["ours"]).Select(Path.GetFileName), Is.EquivalentTo(new[] { "config.json", "model.safetensors", "tokenizer.json" }));
        using TrainedModel foreign = TrainedModel.Load(source, _backend), ours = TrainedModel.Load(_folder["ours"], _backend);
        AssertSame(ours, foreign);
        Assert.That(new RunConfig { Model = ours.Config.Model }.ToJson(), Is.EqualTo(new RunConfig { Model = foreign.Config.Model }.ToJson()));
        string text = Generate(source);
        Assert.That(text, Is.EqualTo(Generate(_folder["ours"])).And.Length.GreaterThan(0));
    }

    [Test]
    public void AModelWithoutATokenizerIsImportedAndSaysSoWhereTextIsWanted()
    {
        string source = ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama);
        CommandLine import = CommandLine.Run("import", source, "--out", _folder["ours"]);
        Assert.That((import.Code, import.Error), Is.EqualTo((0, "nanofold: there is no tokenizer beside the model: it neither reads nor writes text; --tokenizer FILE gives it one\n")));
        foreach (string path in new[] { source, _folder["ours"] })
        {
            CommandLine generate = CommandLine.Run("generate", "--model", path, "--prompt", "a");
            Assert.That((generate.Code, generate.ErrorLines.Length), Is.EqualTo((1, 1)), generate.Error);
            Assert.That(generate.Error, Does.Contain($"{path}: has no tokenizer"));
        }

        Directory.Delete(_folder["ours"], recursive: true);
        ForeignFolders.WithTokenizer(_folder["bytes"]);
        Assert.That((string?)CommandLine.Json("import", source, "--tokenizer", _folder["bytes"], "--context", "16", "--out", _folder["ours"])["tokenizer"], Is.EqualTo("byte"));
        using TrainedModel ours = TrainedModel.Load(_folder["ours"], _backend);
        Assert.That((ours.HasTokenizer, ours.Config.Model.Context), Is.EqualTo((true, 16)));
    }

    [Test]
    public void AnotherContextLeavesWindowsWhatTheyAre()
    {
        JsonObject keys = ForeignFolders.Llama;
        (keys["model_type"], keys["sliding_window"], keys["max_position_embeddings"]) = ("mistral", 20, 16);
        string source = ForeignFolders.Write(_folder["mistral"], keys);
        foreach ((string name, int context, string mixer) in new[] { ("short", 16, "attention"), ("long", 64, "sliding-window") })
        {
            Assert.That((int)CommandLine.Json("import", source, "--context", $"{context}", "--out", _folder[name])["context"]!, Is.EqualTo(context));
            Assert.That((string?)JsonNode.Parse(File.ReadAllText(_folder[$"{name}/config.json"]))!["model"]!["mixer"]!["kind"], Is.EqualTo(mixer));
        }
    }

    [Test]
    public void FilesOfLlamaCppTakeAnotherContext()
    {
        string source = SharedData.Path("peers/gguf/gemma2.gguf");
        using ForeignModel model = ForeignModel.TryOpen(source)!;
        int window = model.Config.LayerConfigs().Select(layer => layer.Mixer).OfType<SlidingWindowConfig>().First().Window;
        Assert.That(model.ConfigFor(window).LayerConfigs().Select(layer => layer.Mixer), Is.All.InstanceOf<AttentionConfig>());
        Assert.That(model.ConfigFor(2 * window).LayerConfigs().Select(layer => layer.Mixer), Has.Some.EqualTo(new SlidingWindowConfig { Window = window, Sinks = 0 }));
    }

    /// <summary>Where a weight lies as it is, its bytes are its values; GPT-2's matrices are turned and lie nowhere as they are.</summary>
    [TestCase("llama", 21)]
    [TestCase("gpt2", 24)]
    public void PlacesOfWeightsAreWhereTheirBytesLie(string name, int placed)
    {
        JsonObject keys = name == "llama" ? ForeignFolders.Llama : new JsonObject { ["model_type"] = "gpt2", ["n_embd"] = 8, ["n_layer"] = 2, ["n_head"] = 2, ["n_positions"] = 4, ["vocab_size"] = 11 };
        using ForeignModel model = ForeignModel.TryOpen(ForeignFolders.Write(_folder[name], keys))!;
        byte[] file = File.ReadAllBytes(Path.Combine(_folder[name], "model.safetensors"));
        int found = 0;
        foreach (WeightInfo weight in model.Weights.All)
        {
            if (model.Weights.PlaceOf(weight.Name) is { } place)
            {
                var values = new float[weight.Count];
                model.Weights.Read(weight.Name, values);
                Assert.That(MemoryMarshal.AsBytes<float>(values).ToArray(), Is.EqualTo(file[(int)place.Offset..(int)(place.Offset + (4 * weight.Count))]), weight.Name);
                found++;
            }
        }

        Assert.That(found, Is.EqualTo(placed));
    }

    [Test]
    public void TrainingBeginsWithAForeignFolderAndItsCheckpointsNeedItWhereItIsFrozen()
    {
        string source = ForeignFolders.WithTokenizer(ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama, files: 2)), run = _folder["run"];
        File.WriteAllText(_folder["text.txt"], string.Concat(Enumerable.Repeat("the cat sat on the mat. ", 60)));
        JsonObject trained = CommandLine.Json("train", "--init", source, "--data", _folder["text.txt"], "--steps", "2", "--batch", "2", "--out", run, "--set", "model.adapters=[\"lora\"]", "--set", "geometry.enabled=false", "--threads", "1");
        Assert.That((int)trained["steps"]!, Is.EqualTo(2));
        using (TrainedModel model = TrainedModel.Load(run, _backend), foreign = TrainedModel.Load(source, _backend))
        {
            const string Name = "model.layers.1.mlp.up_proj.weight";
            Numbers.AssertSameBits(Host.Find(model.Model.Store, Name)!, Host.Find(foreign.Model.Store, Name)!, Name);
        }

        string weights = Path.Combine(source, "model-00002-of-00002.safetensors");
        File.WriteAllBytes(weights, [.. File.ReadAllBytes(weights)[..^4], 0, 0, 0, 0x3f]);
        CommandLine generate = CommandLine.Run("generate", "--model", run, "--prompt", "a");
        Assert.That((generate.Code, generate.Error), Is.EqualTo((1, generate.Error)));
        Assert.That(generate.Error, Does.Contain("has changed since then"));
    }

    [Test]
    public void StatesOfOneModelBecomeARunWithCheckpoints()
    {
        foreach (int step in new[] { 1000, 0, 64 })
        {
            ForeignFolders.WithTokenizer(ForeignFolders.Write(_folder[$"states/step{step}"], ForeignFolders.Llama, seed: $"{step}"));
        }

        JsonObject result = CommandLine.Json("import", _folder["states"], "--out", _folder["run"]);
        Assert.That(result["steps"]!.ToJsonString(), Is.EqualTo("[0,64,1000]"));
        Assert.That(new CheckpointFolder(_folder["run/checkpoints"]).List().Select(checkpoint => checkpoint.Step), Is.EqualTo(new long[] { 0, 64, 1000 }));
        using TrainedModel last = TrainedModel.Load(_folder["run"], _backend), first = TrainedModel.Load(_folder["run/checkpoints/step-000000"], _backend);
        using TrainedModel lastSource = TrainedModel.Load(_folder["states/step1000"], _backend), firstSource = TrainedModel.Load(_folder["states/step0"], _backend);
        AssertSame(last, lastSource);
        AssertSame(first, firstSource);

        JsonObject other = ForeignFolders.Llama;
        other["rope_theta"] = 400.0;
        ForeignFolders.WithTokenizer(ForeignFolders.Write(_folder["other"], other));
        CommandLine refused = CommandLine.Run("import", _folder["states/step64"], _folder["other"], "--out", _folder["two"]);
        Assert.That((refused.Code, refused.Error), Is.EqualTo((1, $"nanofold: {_folder["other"]}: is of another model than the state before it, so that they make no run together\n")));
        Assert.That(Directory.Exists(_folder["two"]), Is.False);
    }

    [Test]
    public void NothingIsOverwrittenAndNothingIsLeftOfWhatFails()
    {
        string source = ForeignFolders.Write(_folder["llama"], ForeignFolders.Llama);
        Directory.CreateDirectory(_folder["full"]);
        File.WriteAllText(_folder["full/note.txt"], "mine");
        CommandLine full = CommandLine.Run("import", source, "--out", _folder["full"]);
        Assert.That((full.Code, full.Error), Is.EqualTo((1, $"nanofold: --out {_folder["full"]}: is there already and holds something; name another folder\n")));
        string broken = ForeignFolders.Write(_folder["broken"], ForeignFolders.Llama, tensors: tensors => tensors["model.norm.weight"].Values[3] = float.NaN);
        CommandLine failed = CommandLine.Run("import", broken, "--out", _folder["new"]);
        Assert.That((failed.Code, failed.Error), Is.EqualTo((1, $"nanofold: {broken}: 'model.norm.weight' has values that are not finite\n")));
        Assert.That(Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName), Is.EquivalentTo(new[] { "llama", "full", "broken" }));
        CommandLine ours = CommandLine.Run("import", _folder["none"], "--out", _folder["new"]);
        Assert.That((ours.Code, ours.Error), Is.EqualTo((1, $"nanofold: {_folder["none"]}: there is no such file or folder\n")));
    }

    private static void AssertSame(TrainedModel ours, TrainedModel theirs)
    {
        foreach (var tensor in theirs.Model.Store.Tensors)
        {
            Numbers.AssertSameBits(Host.Read(ours.Model.Store, ours.Model.Store.Find(tensor.Name)!), Host.Read(theirs.Model.Store, tensor), tensor.Name);
        }
    }

    private static string Generate(string model) =>
        (string)CommandLine.Json("generate", "--model", model, "--prompt", "Hello", "--max-tokens", "12", "--temperature", "0", "--threads", "1")["samples"]![0]!["text"]!;
}
