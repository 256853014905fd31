using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using NanoFold.Cli.Commands.Chat;
using NanoFold.Engine.Interchange.Exports;
using NanoFold.Tests.Cli;

namespace NanoFold.Tests.Runs;

/// <summary>Every verb that takes a model takes a run with adapters, and says of it what the merged model would say.</summary>
[NonParallelizable]
public class AdapterVerbTests
{
    private TuningRig _tuning = null!;
    private string _run = "";
    private string _merged = "";

    [OneTimeSetUp]
    public void SetUp()
    {
        _tuning = new TuningRig("model.context=64");
        _tuning.TrainFrom("base", _tuning.Train.TextPath, "run", "model.adapters=[{\"kind\":\"lora\",\"rank\":2,\"targets\":[\"q_proj\",\"embed_tokens\",\"lm_head\"]}]", "train.learningRate=0.02");
        (_run, _merged) = (_tuning["run"], _tuning["merged"]);
        CommandLine.Json("export", "--model", _run, "--format", "huggingface", "--out", _merged);
    }

    [OneTimeTearDown]
    public void TearDown()
    {
        ChatInput.Given = null;
        _tuning.Dispose();
    }

    [Test]
    public void TextsAreThoseOfTheMergedModel()
    {
        string Written(string model) => (string)CommandLine.Json("generate", "--model", model, "--prompt", "no. 0", "--temperature", "0", "--max-tokens", "20", "--device", "cpu")["samples"]![0]!["text"]!;
        Assert.That(Written(_run), Is.EqualTo(Written(_merged)));
        ChatInput.Given = new StringReader("no. 0\n");
        CommandLine chat = CommandLine.Run("chat", "--model", _run, "--temperature", "0", "--max-tokens", "4", "--device", "cpu");
        Assert.That(chat.Code, Is.Zero, chat.Error);
    }

    [Test]
    public void LossesAreThoseOfTheMergedModel()
    {
        double LossOf(string model) => (double)CommandLine.Json("eval", "--model", model, "--data", _tuning.Train.TextPath, "--part", "all", "--device", "cpu")["loss"]!;
        Assert.That(LossOf(_run), Is.EqualTo(LossOf(_merged)).Within(1e-5).And.Not.EqualTo(LossOf(_tuning["base"])).Within(1e-4));
    }

    [Test]
    public void WordsAreThoseOfTheMergedModel()
    {
        string Near(string model) => CommandLine.Json("neighbors", "a", "--model", model, "--at", "embedding,head", "--data", _tuning.Train.TextPath, "--device", "cpu", "--top", "3")["places"]!.ToJsonString();
        Assert.That(Shape(Near(_run)), Is.EqualTo(Shape(Near(_merged))));
        Assert.That(CommandLine.Run("memories", "units", "--model", _run, "--device", "cpu").Error, Does.Contain("adapters lie around its matrices; units are read of models without"));

        // Names of tokens, without the last digits of numbers.
        static string Shape(string json) => System.Text.RegularExpressions.Regex.Replace(json, @"(\d\.\d{2})\d+", "$1");
    }

    [Test]
    public void AFileComesBackWithTheRunAndWithNothingElse()
    {
        string text = _tuning.Train.TextPath;
        Assert.That(CommandLine.Run("compress", text, "--model", _run, "--out", _tuning["run.nfc"], "--alone").Code, Is.Zero);
        CommandLine other = CommandLine.Run("decompress", _tuning["run.nfc"], "--model", _tuning["base"], "--out", _tuning["back"]);
        Assert.That((other.Code, other.Error.Contains("was compressed with another model", StringComparison.Ordinal)), Is.EqualTo((1, true)), other.Error);
        CommandLine same = CommandLine.Run("decompress", _tuning["run.nfc"], "--model", _run, "--out", _tuning["back"]);
        Assert.That(same.Code, Is.Zero, same.Error);
        Assert.That(File.ReadAllText(_tuning["back"]), Is.EqualTo(File.ReadAllText(text)));
    }

    [Test]
    public void TheOthersReadIt()
    {
        string taps = """{"kind":"ablate","points":"blocks.0.hook_mlp_out"}""";
        string[][] commands =
        [
            ["intervene", "--model", _run, "--edit", taps, "--device", "cpu"],
            ["geometry", "--model", _run, "--measures", "logit-lens", "--out", _tuning["geometry"], "--device", "cpu"],
            ["geometry", "--model", _run, "--against", _tuning["base"], "--measures", "output-shift", "--out", _tuning["against"], "--device", "cpu"],
            ["tokenizer", "encode", "no.", "--model", _run],
            ["report", _run],
            ["data", "task", "text", "--init", _run, "--data", _tuning.Train.TextPath],
        ];
        foreach (string[] command in commands)
        {
            CommandLine run = CommandLine.Run(command);
            Assert.That(run.Code, Is.Zero, $"{string.Join(' ', command)}: {run.Error}");
        }
    }

    [Test]
    public void ItIsServed()
    {
        // All but the port is in order.
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        CommandLine run = CommandLine.Run("serve", "--model", _run, "--port", $"{((IPEndPoint)taken.LocalEndpoint).Port}", "--device", "cpu", "--threads", "1");
        Assert.That(run.Error, Does.Contain("cannot be listened on"));
    }

    [Test]
    public void ItIsExportedInEveryFormat()
    {
        foreach (ExportFormat format in ExportFormat.All)
        {
            CommandLine run = CommandLine.Run("export", "--model", _run, "--format", format.Name, "--out", _tuning[$"export.{format.Name}"]);
            Assert.That(run.Code, Is.Zero, $"{format.Name}: {run.Error}");
            Assert.That(format.KeepsAdapters || run.Standard.Contains("merged", StringComparison.Ordinal) || run.Error.Contains("merged", StringComparison.Ordinal), format.Name);
        }
    }
}
