using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Interchange.LlamaC;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>A file of another program at once, and imported.</summary>
[NonParallelizable]
public class FileImportTests
{
    private readonly CpuBackend _backend = new(1);
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [OneTimeTearDown]
    public void Close() => _backend.Dispose();

    [Test]
    public void AGgufFileIsAModelAtOnceAndImported()
    {
        string source = GgufBuilder.Llama().Save(_folder["model.gguf"]), ours = _folder["ours"];
        JsonObject result = CommandLine.Json("import", source, "--out", ours);
        Assert.That(((string)result["format"]!, (int)result["context"]!), Is.EqualTo(("GGUF llama", 32)));
        Assert.That(Directory.GetFiles(ours).Select(Path.GetFileName), Is.EquivalentTo(new[] { "config.json", "model.safetensors", "tokenizer.json" }));
        AssertSame(source, ours);
        Assert.That(Generate(source), Is.EqualTo(Generate(ours)).And.Length.GreaterThan(0));
        File.WriteAllText(_folder["text.txt"], string.Concat(Enumerable.Repeat("the cat sat on the mat. ", 20)));
        Assert.That(Loss(source), Is.EqualTo(Loss(ours)));
    }

    [Test]
    public void ALongContextIsCutAndSaidSo()
    {
        string source = GgufBuilder.Llama().Without("llama.context_length").Number("llama.context_length", 40000u).Save(_folder["model.gguf"]);
        JsonObject result = CommandLine.Json("import", source, "--out", _folder["ours"]);
        Assert.That((int)result["context"]!, Is.EqualTo(8192));
        Assert.That(result["ignored"]!.AsArray().Select(item => (string)item!), Has.Member("llama.context_length = 40000 (model.context is 8192; import --context sets it)"));
        Assert.That((int)CommandLine.Json("import", source, "--context", "40000", "--out", _folder["whole"])["context"]!, Is.EqualTo(40000));
    }

    [Test]
    public void AFileOfLlama2CIsAModelAtOnceAndImported()
    {
        string source = _folder["m.bin"], ours = _folder["ours"];
        File.WriteAllBytes(source, Llama2CTests.Small(0, tied: true));
        CommandLine import = CommandLine.Run("import", source, "--out", ours);
        Assert.That((import.Code, import.Error), Is.EqualTo((0, "nanofold: there is no tokenizer beside the model: it neither reads nor writes text; --tokenizer FILE gives it one\n")));
        AssertSame(source, ours);
    }

    [Test]
    public void ADamagedFileIsOneLineAndNothingIsWritten()
    {
        string source = _folder["model.gguf"];
        File.WriteAllBytes(source, GgufBuilder.Llama().ToBytes()[..^9]);
        foreach (string[] words in new string[][] { ["import", source, "--out", _folder["ours"]], ["generate", "--model", source], ["eval", "--model", source, "--data", source] })
        {
            CommandLine run = CommandLine.Run(words);
            Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((1, 1)), run.Error);
            Assert.That(run.Error, Does.Contain($"{source}: is not a sound GGUF file: tensor '"));
        }

        Assert.That(Directory.Exists(_folder["ours"]), Is.False);
    }

    private void AssertSame(string source, string ours)
    {
        using TrainedModel foreign = TrainedModel.Load(source, _backend), imported = TrainedModel.Load(ours, _backend);
        foreach (var tensor in foreign.Model.Store.Tensors)
        {
            Numbers.AssertSameBits(Host.Read(imported.Model.Store, imported.Model.Store.Find(tensor.Name)!), Host.Read(foreign.Model.Store, tensor), tensor.Name);
        }
    }

    private static string Generate(string model) =>
        (string)CommandLine.Json("generate", "--model", model, "--prompt", "Hello", "--max-tokens", "12", "--temperature", "0", "--threads", "1")["samples"]![0]!["text"]!;

    private double Loss(string model) => (double)CommandLine.Json("eval", "--model", model, "--data", _folder["text.txt"], "--threads", "1")["loss"]!;
}
