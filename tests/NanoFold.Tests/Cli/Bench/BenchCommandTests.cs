using System.Text.Json.Nodes;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Cli.Bench;

/// <summary>The parts of <c>bench</c>: their results, and what they refuse. <c>bench step</c> itself is with the runs.</summary>
[NonParallelizable]
public class BenchCommandTests
{
    private static readonly string[] s_tiny =
        ["--set", "tokenizer=byte", "--set", "model.width=16", "--set", "model.heads=2", "--set", "model.layers=1", "--context", "16", "--threads", "1"];

    [TestCase("bench gemm: 13194.1 GB are needed and this machine has ", "a smaller --m, --n or --k takes less", "gemm", "--m", "1048576", "--n", "1048576", "--k", "1048576")]
    [TestCase("decoding: ", "a smaller --batch, --context or model takes less", "decode", "--batch", "1048576", "--set", "tokenizer=byte")]
    [TestCase("a training step: ", "or a smaller model takes less", "step", "--batch", "1048576", "--set", "tokenizer=byte")]
    public void WhatDoesNotFitIsOneLine(string start, string end, params string[] arguments)
    {
        CommandLine run = CommandLine.Run(["bench", .. arguments, "--device", "cpu"]);
        Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((1, 1)), run.Error);
        Assert.That(run.ErrorLines[0], Does.StartWith($"nanofold: {start}").And.EndsWith(end));
    }

    [Test]
    public void TokenizersAreTimedOnTheirFirstTextAndAgain()
    {
        using var folder = new TempFolder();
        folder.Write("text.txt", System.Text.Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("naïve 中文 text\n", 400))));
        string text = Path.Combine(folder.Path, "text.txt");
        JsonObject result = CommandLine.Json("bench", "tokenizer", "--model", "byte", "--data", text, "--bytes", "5000");
        Assert.That(result.Select(p => p.Key), Is.EqualTo(new[] { "firstBytesPerSecond", "encodeBytesPerSecond", "decodeBytesPerSecond", "tokens", "bytes", "vocab" }));
        Assert.That((result["tokens"]!.GetValue<int>(), result["bytes"]!.GetValue<int>(), result["vocab"]!.GetValue<int>()), Is.EqualTo((5000, 5000, 256)));
        Assert.That(result.Take(3).Select(p => p.Value!.GetValue<double>()), Is.All.Positive);

        folder.Write("empty.txt", []);
        CommandLine run = CommandLine.Run("bench", "tokenizer", "--model", "byte", "--data", Path.Combine(folder.Path, "empty.txt"));
        Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((1, 1)), run.Error);
    }

    [Test]
    public void AttentionIsTimedOverContexts()
    {
        JsonObject result = CommandLine.Json("bench", "attention", "--context", "16,64", "--heads", "4", "--kv-heads", "2", "--head-dim", "8", "--batch", "2", "--window", "16", "--documents", "30", "--threads", "1");

        JsonObject[] cases = [.. result["cases"]!.AsArray().Select(c => c!.AsObject())];
        Assert.That(cases[0].Select(p => p.Key), Is.EqualTo(new[] { "context", "heads", "kvHeads", "headDim", "batch", "window", "documents", "threads", "forwardMs", "backwardMs", "gflops", "bytes" }));
        Assert.That(cases.Select(c => c["context"]!.GetValue<int>()), Is.EqualTo(new[] { 16, 64 }));
        Assert.That(cases[1]["bytes"]!.GetValue<long>(), Is.InRange(3 * cases[0]["bytes"]!.GetValue<long>(), 8 * cases[0]["bytes"]!.GetValue<long>()));
        Assert.That(result["growth"]!["context"]!.GetValue<double>(), Is.EqualTo(4));
        Assert.That(result["growth"]!["timePerSquare"]!.GetValue<double>(), Is.Positive);
    }

    [Test]
    public void TheProcessorsFiguresHaveAColumnForEachNumberOfThreads()
    {
        JsonObject result = CommandLine.Json("bench", "cpu", "--parts", "steps,runs", "--presets", "nano", "--steps", "2", "--threads", "2");

        Assert.That(result.Select(p => p.Key), Is.EqualTo(new[] { "processor", "columns", "steps", "runs" }));
        Assert.That(result["columns"]!.AsArray().Select(c => c!["threads"]!.GetValue<int>()), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(result["steps"]![0]!["tokensPerSecond"]!.AsArray().Select(r => r!.GetValue<double>()), Is.All.Positive);
        Assert.That(result["runs"]!["empty"]!.AsArray().Select(r => r!["threads"]!.GetValue<int>()), Is.EqualTo(new[] { 1, 2 }));
        JsonObject preset = result["runs"]!["presets"]![0]!.AsObject();
        Assert.That(preset.Select(p => p.Key), Is.EqualTo(new[] { "preset", "kernels", "forecast", "lost" }));
        JsonObject[] forecast = [.. preset["forecast"]!.AsArray().Select(f => f!.AsObject())];
        Assert.That(forecast.Select(f => f["cores"]!.GetValue<int>()), Is.EqualTo(new[] { 1, 2, 4, 8, 16, 64 }));
        Assert.That(forecast.Select(f => f["sharedMs"]!.GetValue<double>()), Is.Ordered.Descending);
        Assert.That(preset["kernels"]!.AsArray().Select(k => k!["items"]!.GetValue<double>()), Is.All.GreaterThanOrEqualTo(2));
        Assert.That(preset["lost"]!.AsArray().Select(k => k!["lostMs"]!.GetValue<double>()), Is.Ordered.Descending);
    }

    [Test]
    public void MixersAreTimedBesideDenseAttention()
    {
        using var folder = new TempFolder();
        string plot = Path.Combine(folder.Path, "times.svg");
        JsonObject result = CommandLine.Json(
            "bench", "attention", "--mixers", "sliding-window,gru,attention", "--contexts", "16,70", "--heads", "2", "--head-dim", "8", "--batch", "1", "--preset", "nano", "--threads", "1",
            "--plot", plot);

        JsonObject[] cases = [.. result["cases"]!.AsArray().Select(c => c!.AsObject())];
        Assert.That(cases[0].Select(p => p.Key), Is.EqualTo(new[]
        {
            "mixer", "settings", "context", "batch", "threads", "forwardMs", "backwardMs", "linearMs", "tokenMs", "timeOfAttention", "gflop", "gflops", "arenaBytes", "stateBytes",
        }));
        Assert.That(cases.Select(c => (c["mixer"]!.GetValue<string>(), c["context"]!.GetValue<int>())), Is.EqualTo(new[]
        {
            ("attention", 16), ("sliding-window", 16), ("gru", 16), ("attention", 70), ("sliding-window", 70), ("gru", 70),
        }));
        Assert.That(cases[4]["settings"]!["window"]!.GetValue<int>(), Is.EqualTo(17));
        Assert.That(cases[3]["timeOfAttention"]!.GetValue<double>(), Is.EqualTo(1));
        // 2 heads of 8: causal pairs, forward 4 · D FLOPs each, backward 10 · D; a little for rotary positions and sums.
        double pairs = 2 * 70 * 71 / 2 * 14 * 8 / 1e9;
        Assert.That(cases[3]["gflop"]!.GetValue<double>(), Is.InRange(pairs, 1.04 * pairs));
        Assert.That(cases.SelectMany(c => new[] { "forwardMs", "backwardMs", "linearMs", "tokenMs", "stateBytes" }.Select(key => c[key]!.GetValue<double>())), Is.All.Positive);
        Assert.That(File.ReadAllText(plot), Does.StartWith("<?xml").Or.StartWith("<svg").And.Contain("sliding-window"));
    }

    [Test]
    public void KindsAreSweptToo()
    {
        JsonObject result = CommandLine.Json(["bench", "step", .. s_tiny, "--steps", "1", "--batch", "1", "--set", "train.warmup=0", "--sweep", "residual"]);

        JsonObject[] cells = [.. result["sweep"]!.AsArray().Select(c => c!.AsObject())];
        Assert.That(cells.Select(c => c["value"]!.GetValue<string>()), Does.Contain("add"));
        Assert.That(cells.Select(c => c["cliff"]!.GetValue<bool>()), Is.All.False);
    }

    [Test]
    public void DecodingIsTimedBesideTheMemory()
    {
        JsonObject result = CommandLine.Json(["bench", "decode", .. s_tiny, "--prompt-tokens", "5", "--tokens", "3", "--batch", "2"]);

        Assert.That(result.Select(p => p.Key), Is.SupersetOf(new[] { "tokensPerSecond", "prefillTokensPerSecond", "bytesPerToken", "bandwidthBytesPerSecond", "bandwidthShare" }));
        Assert.That((result["promptTokens"]!.GetValue<int>(), result["tokens"]!.GetValue<int>(), result["batch"]!.GetValue<int>()), Is.EqualTo((5, 3, 2)));
        double share = result["bytesPerToken"]!.GetValue<double>() * result["tokensPerSecond"]!.GetValue<double>() / result["bandwidthBytesPerSecond"]!.GetValue<double>();
        Assert.That(result["bandwidthShare"]!.GetValue<double>(), Is.EqualTo(share).Within(1e-9 * share).And.Positive);
    }

    [Test]
    public void AStepIsSweptAlongAnAxis()
    {
        JsonObject result = CommandLine.Json(["bench", "step", .. s_tiny, "--steps", "1", "--batch", "1", "--set", "train.warmup=0", "--sweep", "depth"]);

        Assert.That(result["tokensPerSecond"]!.GetValue<double>(), Is.Positive);
        JsonObject[] cells = [.. result["sweep"]!.AsArray().Select(c => c!.AsObject())];
        Assert.That(cells[0].Select(p => p.Key), Is.EqualTo(new[] { "axis", "value", "parameters", "tokensPerSecond", "gflops", "peakShare", "updateMs", "planBytes", "cliff" }));
        Assert.That(cells.Select(c => (c["axis"]!.GetValue<string>(), c["value"]!.GetValue<int>())), Is.EqualTo(new[] { ("depth", 1), ("depth", 2), ("depth", 4), ("depth", 8), ("depth", 12) }));
        Assert.That(cells.Select(c => c["planBytes"]!.GetValue<long>()), Is.Ordered.And.Unique);
    }

    [TestCase("attention --context 256,many", "--context: expected integers from 1 to 1048576 separated by commas, got '256,many'")]
    [TestCase("attention --context 0", "--context: expected integers from 1 to 1048576 separated by commas, got '0'")]
    [TestCase("attention --heads 6 --kv-heads 4", "bench attention: --heads 6 is not a multiple of --kv-heads 4")]
    [TestCase("attention --context 1000000 --batch 1000", "bench attention: batch 1000 × context 1000000 × heads 6 × head dimension 64 are 384000000000 elements; at most 268435456 are supported")]
    [TestCase("attention --window -1", "--window: expected an integer from 1 to 1048576, got '-1'")]
    [TestCase("attention --mixers attention,gru --set model.mixer.state=8", "bench attention: --set model.mixer.state=8 is for one kind; name one with --mixers")]
    [TestCase("attention --plot x.svg", "bench attention: --set and --plot go with --mixers")]
    [TestCase("attention --mixers gru --window 8", "bench attention: --window is for the kernel alone; with --mixers sliding-window say --set model.mixer.window=N")]
    [TestCase("attention --mixers gru --documents 8", "bench attention: --documents is for the kernel alone; leave out --mixers or --documents")]
    [TestCase("attention --documents 0", "--documents: expected an integer from 1 to 1048576, got '0'")]
    [TestCase("attention --preset mega", "preset: unknown preset \"mega\"; known: nano, small, gpt2")]
    [TestCase("decode --prompt-tokens 60 --tokens 5", "bench decode: --prompt-tokens 60 and --tokens 5 are more than the context of 64; name fewer, or a larger --context")]
    [TestCase("decode --context 1", "bench decode: --prompt-tokens 1 and --tokens 1 are more than the context of 1; name fewer, or a larger --context")]
    [TestCase("decode --batch auto", "bench decode: --batch auto is for train, which tries sizes; name one")]
    [TestCase("decode --tokens 0", "--tokens: expected an integer from 1 to 4194304, got '0'")]
    [TestCase("cpu --parts gemm", "--parts: expected products, steps, attention, decode, runs or all, got 'gemm'")]
    [TestCase("gemm --precision half", "bench gemm: --precision half: expected one of fp32, tf32, bf16, fp16")]
    [TestCase("streams --activations int8", "bench streams: --weights and --activations are for the weights of a model; name one with --model")]
    [TestCase("streams --weights f16", "bench streams: --weights and --activations are for the weights of a model; name one with --model")]
    [TestCase("step --sweep heads", "--sweep: expected batch, context, width, depth, mixer, feedForward, residual or all, got 'heads'")]
    [TestCase("step --sweep batch,", "--sweep: expected batch, context, width, depth, mixer, feedForward, residual or all, got ''")]
    public void WhatCannotBeMeasuredIsRefusedInALine(string arguments, string problem)
    {
        CommandLine run = CommandLine.Run(["bench", .. arguments.Split(' ')]);

        Assert.That((run.Code, run.Standard), Is.EqualTo((2, "")));
        Assert.That(run.ErrorLines[0], Is.EqualTo($"nanofold: {problem}"));
        Assert.That(run.ErrorLines[1..], Is.All.StartsWith("nanofold: see 'nanofold bench "));
    }

    [TestCase("step", "sweep")]
    [TestCase("gemm", "transA")]
    [TestCase("attention", "forwardMs")]
    [TestCase("decode", "bandwidthShare")]
    [TestCase("cpu", "unevenMs")]
    [TestCase("tokenizer", "firstBytesPerSecond")]
    public void TheKeysOfEveryPartAreInItsHelp(string part, string key)
        => Assert.That(CommandLine.Run("bench", part, "--help").Standard, Does.Match($@"Keys of the --json line:\n.*{key}"));
}
