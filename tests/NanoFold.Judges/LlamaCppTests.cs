using System.Text.Json.Nodes;
using LLama;
using LLama.Common;
using LLama.Native;
using NanoFold.Engine.Checkpoints;
using NanoFold.Tests;
using NanoFold.Tests.Cli;

namespace NanoFold.Judges;

/// <summary>Exported GGUF files in llama.cpp: the same greedy tokens, and log-probabilities to a thousandth.</summary>
[NonParallelizable]
public class LlamaCppTests
{
    private const string Stories = "stories260K.bin";
    private const int Prompt = 8;

    private TemporaryFolder _folder = null!;

    [OneTimeSetUp]
    public void BeQuiet() => NativeLogConfig.llama_log_set((_, _) => { });

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCaseSource(typeof(PublishedCases), nameof(PublishedCases.All))]
    public void AModelSaysTheSameThere(string name)
    {
        PublishedCases.Export(name, "gguf", _folder["m.gguf"]);
        using SafeTensorsFile expected = PublishedCases.Expected(name);
        int[] text = [.. SharedData.Reals(expected, "greedy").Select(token => (int)token)];
        double[] logits = SharedData.Reals(expected, "greedy_logits");
        int count = text.Length - Prompt, vocab = logits.Length / count;
        (int[] tokens, double[] logs) = Greedy(_folder["m.gguf"], text[..Prompt], count);
        Assert.That(tokens, Is.EqualTo(text[Prompt..]));
        Assert.That(logs, Is.EqualTo(Enumerable.Range(0, count).Select(i => LargestLog(logits.AsSpan(i * vocab, vocab)))).Within(1e-3));
    }

    [TestCase("f32", 200)]
    [TestCase("f16", 60)]
    [TestCase("q8_0", 20)]
    public void ARealModelTellsItsStoryThere(string type, int count)
    {
        CommandLine.Json("export", "--model", SharedData.Path(Stories), "--format", "gguf", "--type", type, "--out", _folder["s.gguf"]);
        JsonObject line = File.ReadLines(SharedData.Path("peers/gguf/stories260K.greedy.jsonl")).Select(text => JsonNode.Parse(text)!.AsObject()).First(text => (string)text["weights"]! == "f32");
        int[] prompt = [.. line["prompt_tokens"]!.AsArray().Select(token => (int)token!)], expected = [.. line["tokens"]!.AsArray().Select(token => (int)token!)];
        Assert.That(Greedy(_folder["s.gguf"], prompt, count).Tokens, Is.EqualTo(expected[..count]));
    }

    private static (int[] Tokens, double[] Logs) Greedy(string path, int[] prompt, int count)
    {
        var options = new ModelParams(path) { ContextSize = 512, GpuLayerCount = 0, Threads = 1, TypeK = GGMLType.GGML_TYPE_F32, TypeV = GGMLType.GGML_TYPE_F32, FlashAttention = false };
        using LLamaWeights weights = LLamaWeights.LoadFromFile(options);
        using LLamaContext context = weights.CreateContext(options);
        List<int> tokens = [], next = [.. prompt];
        List<double> logs = [];
        for (int place = 0; tokens.Count < count;)
        {
            var batch = new LLamaBatch();
            for (int i = 0; i < next.Count; i++)
            {
                batch.Add(next[i], place++, LLamaSeqId.Zero, i == next.Count - 1);
            }

            Assert.That(context.Decode(batch), Is.EqualTo(DecodeResult.Ok));
            double[] logits = [.. context.NativeHandle.GetLogitsIth(batch.TokenCount - 1).ToArray().Select(value => (double)value)];
            logs.Add(LargestLog(logits));
            tokens.Add(Array.IndexOf(logits, logits.Max()));
            next = [tokens[^1]];
        }

        return ([.. tokens], [.. logs]);
    }

    // The log-probability of the likeliest.
    private static double LargestLog(ReadOnlySpan<double> logits)
    {
        double largest = logits[0], sum = 0;
        foreach (double logit in logits)
        {
            largest = Math.Max(largest, logit);
        }

        foreach (double logit in logits)
        {
            sum += Math.Exp(logit - largest);
        }

        return -Math.Log(sum);
    }
}
