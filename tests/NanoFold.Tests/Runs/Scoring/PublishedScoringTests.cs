using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Scoring;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Runs.Scoring;

/// <summary>What the lm-evaluation-harness gives on its reference cases, to the tolerances of their description.</summary>
[Category("Published")]
public sealed class PublishedScoringTests : EngineTests
{
    private const string Folder = "peers/scoring";

    /// <summary>The file of each case.</summary>
    private static readonly Dictionary<string, string> s_files = new()
    {
        ["hellaswag"] = "hellaswag", ["arc"] = "arc", ["piqa"] = "piqa", ["lambada"] = "lambada", ["rolling"] = "rolling", ["wikitext"] = "rolling",
    };

    private static IEnumerable<string> Cases => SharedData.Find(Folder) is { } folder
        ? JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")))!.AsObject().Where(member => member.Value is JsonObject { } task && task.ContainsKey("items")).Select(member => member.Key)
        : ["none"];

    [TestCaseSource(nameof(Cases))]
    public void AnswersAreThoseOfTheHarness(string name)
    {
        var agreement = new CaseAgreement("scoring", name);
        JsonObject expected = Expected(name);
        ItemResults results = Run(name);
        JsonArray items = expected["items"]!.AsArray();
        Assert.That(results.Items, Has.Count.EqualTo(items.Count));
        for (int i = 0; i < items.Count; i++)
        {
            JsonObject item = items[i]!.AsObject();
            ItemResult found = results.Items[i];
            double[] sums = item["loglikelihood"] is JsonArray many ? Doubles(many) : [item["loglikelihood"]!.GetValue<double>()];
            double tolerance = results.File.Kind == ItemKind.Page ? 1e-4 * Math.Abs(sums[0]) : 1e-4;
            Assert.That(found.LogLikelihoods, Has.Count.EqualTo(sums.Length));
            agreement.Off(found.LogLikelihoods.Zip(sums, (a, b) => Math.Abs(a - b)).Max(), tolerance, "log-likelihoods");
            if (results.File.Kind == ItemKind.Page)
            {
                Assert.That(found.Tokens[0], Has.Count.EqualTo(item["tokens"]!.GetValue<int>()));
                continue;
            }

            JsonNode[] continuations = item["continuation_token_ids"]![0] is JsonArray ? [.. item["continuation_token_ids"]!.AsArray()!] : [item["continuation_token_ids"]!];
            Assert.That(found.Tokens.Select(tokens => tokens.Select(token => token.Token)), Is.EqualTo(continuations.Select(ids => ids.AsArray().Select(id => id!.GetValue<int>()))));
            Assert.That(found.Item.Context, Is.EqualTo(item["context"]!.GetValue<string>()));
            if (results.File.Kind == ItemKind.Choice)
            {
                Assert.That((found.Item.Gold, found.Predicted, found.PredictedByCharacter, found.PredictedByByte), Is.EqualTo(
                    (item["gold"]!.GetValue<int>(), item["pred"]!.GetValue<int>(), item["pred_norm"]!.GetValue<int>(), item["pred_norm"]!.GetValue<int>())));
                Assert.That(Enumerable.Range(0, sums.Length).Select(found.IsGreedy), Is.EqualTo(item["is_greedy"]!.AsArray().Select(value => value!.GetValue<bool>())));
            }
            else
            {
                Assert.That(found.IsGreedy(0), Is.EqualTo(item["is_greedy"]!.GetValue<bool>()));
                Assert.That(found.Tokens[0].Select(token => -token.Nats), Is.EqualTo(Doubles(item["token_logprobs"]!.AsArray())).Within(1e-4));
            }
        }

        Dictionary<string, double> figures = results.Figures.ToDictionary(score => score.Name, score => score.Value);
        (string Ours, string Theirs)[] names = results.File.Kind switch
        {
            ItemKind.Choice => [("accuracy", "acc"), ("accuracyNormalized", "acc_norm"), ("accuracyByBytes", "acc_bytes")],
            ItemKind.LastWord => [("accuracy", "acc"), ("perplexity", "perplexity")],
            _ => [("wordPerplexity", "word_perplexity"), ("bytePerplexity", "byte_perplexity"), ("bitsPerByte", "bits_per_byte"), ("words", "total_words"), ("bytes", "total_bytes")],
        };
        foreach ((string ours, string theirs) in names)
        {
            double value = expected[theirs]!.GetValue<double>();
            agreement.Near(figures[ours], value, 1e-5 * value, theirs);
        }

        agreement.Record();
    }

    [Test]
    public void CalibrationIsThatOfAllAnswersTogether()
    {
        var agreement = new CaseAgreement("scoring", "calibration");
        JsonObject expected = Expected("calibration");
        Calibration found = ItemResults.CalibrationOf(new[] { "hellaswag", "arc", "piqa" }.Select(Run));
        (string Name, double Value)[] figures =
            [("ece_l1", found.Error), ("mce_max", found.LargestError), ("brier_multiclass_sum", found.Brier), ("brier_top_label_binary", found.TopBrier), ("mean_nll_of_gold", found.Nats)];
        foreach ((string name, double value) in figures)
        {
            agreement.Near(value, expected[name]!.GetValue<double>(), 1e-5, name);
        }

        JsonObject[] bins = [.. expected["bins"]!.AsArray().Select(bin => bin!.AsObject()).Where(bin => bin["count"]!.GetValue<int>() > 0)];
        Assert.That(found.Bins.Select(bin => bin.Count), Is.EqualTo(bins.Select(bin => bin["count"]!.GetValue<long>())));
        Assert.That(found.Bins.Select(bin => bin.Accuracy), Is.EqualTo(bins.Select(bin => bin["accuracy"]!.GetValue<double>())).Within(1e-12));
        Assert.That(found.Bins.Select(bin => bin.Confidence), Is.EqualTo(bins.Select(bin => bin["mean_confidence"]!.GetValue<double>())).Within(1e-4));
        agreement.Record();
    }

    /// <summary>As the harness has it, a context begins with what the tokenizer's file puts before a text, and with nothing where it puts nothing there.</summary>
    [TestCase("peers/tokenizers/post-bos-eos", true)]
    [TestCase("peers/tokenizers/spbpe-converted-llama", false)]
    [TestCase("peers/scoring/model", false)]
    public void AContextBeginsWithWhatItsTokenizerAdds(string tokenizer, bool adds)
    {
        Tokenizer read = Tokenizer.Load(SharedData.Path(tokenizer));
        int[] tokens = new PromptEncoder(read, context: 64, begins: false).Row(0, "The cat", " sat", "here").Tokens;
        Assert.That(tokens[0] == read.Bos, Is.EqualTo(adds));
        Assert.That(new PromptEncoder(read, context: 64, begins: true).Row(0, "The cat", " sat", "here").Tokens, Is.EqualTo(adds ? tokens : [read.Bos!.Value, .. tokens]));
        Assert.That(new PromptEncoder(read, context: 64, begins: false).Row(0, "", " sat", "here").Tokens[0], Is.EqualTo(read.Bos));
    }

    private static JsonObject Expected(string name) => JsonNode.Parse(File.ReadAllText(Path.Combine(SharedData.Path(Folder), "expected.json")))![name]!.AsObject();

    private static double[] Doubles(JsonArray values) => [.. values.Select(value => value!.GetValue<double>())];

    private ItemResults Run(string name)
    {
        string folder = SharedData.Path(Folder);
        using TrainedModel trained = TrainedModel.Load(Path.Combine(folder, "model"), Backend(threads: 2));
        return new ItemScoring(trained.Model, trained.Tokenizer, new ItemOptions(Detokenizes: name == "wikitext")).Run(ItemFile.Read(Path.Combine(folder, $"{s_files[name]}.jsonl")));
    }
}
