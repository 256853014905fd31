using System.Text.Json.Nodes;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>Models of ours as GGUF files, read again.</summary>
[NonParallelizable]
public class GgufExportTests
{
    private const string Models = "peers/models";

    /// <summary>What is refused, and the words that say why. A case that is in neither place fails.</summary>
    private static readonly Dictionary<string, string> s_refused = new()
    {
        ["cohere"] = "of the architecture cohere;",
        ["cohere-qk-norm"] = "of the architecture cohere;",
        ["gemma2"] = "model.scoreScale",
        ["gemma3-text"] = "model.scoreScale",
        ["gemma3-text-linear"] = "model.scoreScale",
        ["llama-rope-dynamic"] = "model.ropeScaling",
        ["llama-rope-llama3"] = "model.ropeScaling",
        ["llama-rope-longrope"] = "model.ropeScaling",
        ["llama-rope-yarn-explicit"] = "model.ropeScaling",
        ["llama-rope-yarn-mscale"] = "model.ropeScaling",
        ["mamba"] = "of the architecture mamba;",
        ["mamba-bias"] = "of the architecture mamba;",
        ["mamba2"] = "of the architecture mamba2;",
        ["mamba2-limit"] = "of the architecture mamba2;",
        ["mistral"] = "of the architecture mistral;",
        ["phi"] = "of the architecture phi;",
        ["phi-qk-layernorm"] = "of the architecture phi;",
        ["phi3"] = "the windows of phi3",
        ["phi3-longrope"] = "model.ropeScaling",
        ["qwen2-sliding"] = "the windows of qwen2",
        ["qwen3-moe-mixed"] = "dense feed-forwards beside experts (model.pattern)",
        ["smollm3"] = "of the architecture smollm3;",
        ["stablelm"] = "of the architecture stablelm;",
        ["stablelm-parallel"] = "of the architecture stablelm;",
    };

    private TemporaryFolder _folder = null!;

    private static IEnumerable<string> Published => SharedData.Cases(Models);

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCaseSource(nameof(Published))]
    public void AFileHasTheValuesOfTheModelOrIsNotWritten(string name)
    {
        string source = Path.Combine(SharedData.Path(Models), name);
        CommandLine run = CommandLine.Run("export", "--model", source, "--format", "gguf", "--out", _folder["m.gguf"]);
        if (s_refused.TryGetValue(name, out string? reason))
        {
            Assert.That((run.Code, run.Error), Is.EqualTo((1, run.Error)));
            Assert.That(run.Error, Does.StartWith("nanofold: gguf cannot express").And.Contain(reason));
            Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);
            return;
        }

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        using ForeignModel after = ForeignModel.TryOpen(_folder["m.gguf"])!, before = ForeignModel.TryOpen(source)!;
        Assert.That(after.Weights.All.Select(weight => weight.Name), Is.EqualTo(before.Weights.All.Select(weight => weight.Name)));
        // Gains of Gemma's norms are stored as 1 + g, which rounds.
        double tolerance = name.StartsWith("gemma", StringComparison.Ordinal) ? 1e-7 : 0;
        foreach (WeightInfo weight in before.Weights.All)
        {
            Assert.That(Values(after, weight.Name), Is.EqualTo(Values(before, weight.Name)).Within(tolerance), weight.Name);
        }
    }

    [TestCase("f16", "F16", 2e-4)]
    [TestCase("bf16", "BF16", 1e-3)]
    [TestCase("q8_0", "Q8_0", 1.3e-3)]
    public void NumbersOfFewerBitsAreTheNearest(string type, string stored, double off)
    {
        JsonObject keys = ForeignFolders.Llama;
        (keys["hidden_size"], keys["intermediate_size"]) = (32, 40);
        string source = ForeignFolders.WithTokenizer(ForeignFolders.Write(_folder["llama"], keys));
        CommandLine.Json("export", "--model", source, "--format", "gguf", "--type", type, "--out", _folder["m.gguf"]);
        using ForeignModel after = ForeignModel.TryOpen(_folder["m.gguf"])!, before = ForeignModel.TryOpen(source)!;
        foreach (WeightInfo weight in before.Weights.All)
        {
            bool isFull = weight.Shape.Count == 1 || (type == "q8_0" && weight.Shape[1] == 40);
            Assert.That(after.Weights.Find(weight.Name)!.Type, Is.EqualTo(isFull ? "F32" : stored), weight.Name);
            Assert.That(Values(after, weight.Name), Is.EqualTo(Values(before, weight.Name)).Within(isFull ? 0 : off), weight.Name);
        }

        Assert.That(after.Tokenizer!.Encode("a\n€ 7"), Is.EqualTo(before.Tokenizer!.Encode("a\n€ 7")));
    }

    [Test]
    public void ARealModelTellsItsStoryFromItsFile()
    {
        string source = SharedData.Path("stories260K.bin");
        CommandLine.Json("export", "--model", source, "--format", "gguf", "--type", "f16", "--out", _folder["s.gguf"]);
        using ForeignModel after = ForeignModel.TryOpen(_folder["s.gguf"])!, before = ForeignModel.TryOpen(source)!;
        Assert.That((after.Format, after.Tokenizer!.Vocab), Is.EqualTo(("GGUF llama", 512)));
        Assert.That(after.Tokenizer.Encode("Once upon a time,\n a déjà vu"), Is.EqualTo(before.Tokenizer!.Encode("Once upon a time,\n a déjà vu")));
        JsonObject text = CommandLine.Json("generate", "--model", _folder["s.gguf"], "--prompt", "Once upon a time", "--max-tokens", "40", "--temperature", "0", "--threads", "1");
        Assert.That((string)text["samples"]![0]!["text"]!, Does.StartWith(", there was a little girl named Lily. She loved to play outside in the park."));
    }

    private static float[] Values(ForeignModel model, string name)
    {
        var values = new float[model.Weights.Find(name)!.Count];
        model.Weights.Read(name, values);
        return values;
    }
}
