using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>A real model, SmolLM2-135M-Instruct in Q4_1: what is computed here of the values of its file, beside transformers.</summary>
[Category("Published")]
public class SmolLm2Tests : EngineTests
{
    private const string Folder = "peers/smollm2", Model = $"{Folder}/SmolLM2-135M-Instruct.Q4_1.gguf";
    private const int Window = 512;

    [Test]
    public void ItsTokensAreThoseOfLlamaCpp()
    {
        using ForeignModel model = ForeignModel.TryOpen(SharedData.Path(Model))!;
        Assert.That((model.Format, model.Config.Layers, model.Config.Width, model.Config.Heads, model.Config.KvHeads, model.Config.RopeBase, model.Config.NormEpsilon, model.Config.Tied), Is.EqualTo(("GGUF llama", 30, 576, 9, 3, 1e5, 1e-5, true)));
        Assert.That((model.Weights.Find("model.embed_tokens.weight")!.Type, model.Weights.Find("model.layers.3.mlp.down_proj.weight")!.Type), Is.EqualTo(("Q8_0", "Q4_1")));
        Assert.That((model.Tokenizer!.Vocab, model.Tokenizer.Eos, model.Tokenizer.PromptStart.Count), Is.EqualTo((49152, 2, 0)));
        int texts = 0;
        foreach (JsonObject line in Lines("tokens.jsonl").Where(line => line.ContainsKey("text")))
        {
            string text = (string)line["text"]!;
            Assert.That(model.Tokenizer.Encode(text), Is.EqualTo(Ids(line["tokens"]!)), text);
            Assert.That(model.Tokenizer.EncodePrompt(text), Is.EqualTo(Ids(line["tokens_parse_special"]!)), text);
            Assert.That(Encoding.UTF8.GetString(model.Tokenizer.Decode(Ids(line["tokens"]!))), Is.EqualTo(text));
            texts++;
        }

        Assert.That(texts, Is.EqualTo(60));
        var agreement = new CaseAgreement("smollm2", "tokens");
        agreement.Same($"ids of {texts} texts, with and without special tokens");
        agreement.Record();
    }

    [Test]
    [Category("Long")]
    public void ItsLogitsContinuationsAndLossAreThoseOfTransformers()
    {
        var agreement = new CaseAgreement("smollm2", "logits, continuations, loss");
        using ForeignModel model = ForeignModel.TryOpen(SharedData.Path(Model))!;
        using var read = new ForeignNumbers(model, Backend(threads: 2), context: 1024);
        using SafeTensorsFile logits = SafeTensorsFile.Open(SharedData.Path($"{Folder}/logits.safetensors"));
        int vocab = model.Config.Vocab;
        foreach ((int i, JsonObject line) in Lines("greedy.jsonl").Index())
        {
            int[] tokens = ForeignNumbers.Integers(logits, $"p{i}.tokens"), top = ForeignNumbers.Integers(logits, $"p{i}.float32.top_ids");
            Assert.That(model.Tokenizer!.EncodePrompt((string)line["prompt"]!), Is.EqualTo(tokens));
            double[] actual = read.Logits(tokens), expected = SharedData.Reals(logits, $"p{i}.float32.top_logits");
            double[] sums = new double[tokens.Length];
            logits.Read($"p{i}.float32.lse", sums);
            agreement.Off(expected.Index().Max(logit => Math.Abs(actual[(logit.Index / 64 * vocab) + top[logit.Index]] - logit.Item)), 1e-3, "largest logits");
            agreement.Off(sums.Index().Max(sum => Math.Abs(LogSum(actual.AsSpan(sum.Index * vocab, vocab)) - sum.Item)), 5e-4, "log-sum-exp");
            Assert.That(read.Greedy(tokens, 48), Is.EqualTo(Ids(line["float32"]!["tokens"]!)), $"prompt {i}");
        }

        using SafeTensorsFile loss = SafeTensorsFile.Open(SharedData.Path($"{Folder}/loss.safetensors"));
        int[] text = ForeignNumbers.Integers(loss, "tokens");
        double[] terms = new double[loss["nll.float32"].Count];
        loss.Read("nll.float32", terms);
        List<double> found = [];
        foreach (int[] window in text.Chunk(Window))
        {
            double[] rows = read.Logits(window);
            for (int t = 0; t + 1 < window.Length; t++)
            {
                Span<double> row = rows.AsSpan(t * vocab, vocab);
                found.Add(LogSum(row) - row[window[t + 1]]);
            }
        }

        TestContext.Out.WriteLine($"mean loss {found.Average():0.000000}, expected {terms.Average():0.000000}");
        agreement.Near(found.Average(), terms.Average(), 1e-5, "mean loss");
        agreement.Off(found.Zip(terms, (a, b) => Math.Abs(a - b)).Max(), 2e-3, "losses of tokens");
        agreement.Same("four continuations of 48 tokens");
        agreement.Record();
    }

    private static double LogSum(ReadOnlySpan<double> row)
    {
        double most = double.NegativeInfinity, sum = 0;
        foreach (double logit in row)
        {
            most = Math.Max(most, logit);
        }

        foreach (double logit in row)
        {
            sum += Math.Exp(logit - most);
        }

        return most + Math.Log(sum);
    }

    private static IEnumerable<JsonObject> Lines(string file) => File.ReadLines(SharedData.Path($"{Folder}/{file}")).Select(line => JsonNode.Parse(line)!.AsObject());

    private static int[] Ids(JsonNode list) => [.. list.AsArray().Select(token => (int)token!)];
}
