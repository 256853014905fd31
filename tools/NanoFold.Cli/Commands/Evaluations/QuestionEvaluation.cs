using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Scoring;
using NanoFold.Engine.Tasks;

namespace NanoFold.Cli.Commands.Evaluations;

/// <summary>The answers of a model to files of questions.</summary>
internal static class QuestionEvaluation
{
    // Fewer are answered at once.
    private const int WorthTelling = 500;

    /// <summary>Asks, and writes the scores.</summary>
    /// <param name="invocation">What was asked for.</param>
    /// <param name="trained">The model.</param>
    /// <param name="options">The files, and how they are asked.</param>
    /// <param name="ofText">An option that was given and is of texts; null for none.</param>
    public static int Run(Invocation invocation, TrainedModel trained, ScoringOptions options, string? ofText)
    {
        if (ofText is not null)
        {
            throw UserException.Usage($"{ofText}: --items asks questions, not a text; leave one of the two out");
        }

        Output output = invocation.Output;
        var scoring = new ItemScoring(trained.Model, trained.Tokenizer, options.Asking(invocation, trained));
        ItemFile[] files = options.Items(invocation);
        options.Require(invocation, trained);
        if (options.PerItem(invocation) is { } perItem)
        {
            OutputFile.Require(perItem, "--per-item");
        }

        List<ItemResults> results = [];
        foreach (ItemFile file in files)
        {
            if (file.Items.Count >= WorthTelling)
            {
                output.Note($"{file.Path}: {Display.Count(file.Items.Count, "question")}");
            }

            results.Add(scoring.Run(file, invocation.Interrupt.Token));
        }

        foreach ((int index, IGrouping<ItemKind, ItemResults> kind) in results.GroupBy(result => result.File.Kind).Index())
        {
            if (index > 0)
            {
                output.Line();
            }

            output.Table(numbers: true, [Header(kind.Key), .. kind.Select(Row)]);
        }

        Calibration all = ItemResults.CalibrationOf(results);
        if (all.Count > 0)
        {
            output.Line();
            output.Line(FormattableString.Invariant($"calibration error {Display.Figure(all.Error)} (largest of a bin {Display.Figure(all.LargestError)}), Brier {Display.Figure(all.Brier)}, {Display.Count(all.Count, "answer")}"));
        }

        Write(options.PerItem(invocation), writer => WriteItems(writer, results), output);
        Write(options.PerToken(invocation), writer => WriteTokens(writer, results, trained), output);
        output.Result(new JsonObject
        {
            ["questions"] = new JsonArray([.. results.Select(ToJson)]),
            ["calibration"] = all.Count > 0 ? ToJson(all) : null,
        });
        return Faults.Done;
    }

    private static string[] Header(ItemKind kind) => kind switch
    {
        ItemKind.Choice => ["questions", "items", "accuracy", "±", "normalized", "±", "calibration"],
        ItemKind.LastWord => ["last words", "items", "accuracy", "±", "perplexity"],
        _ => ["documents", "pages", "tokens", "loss", "bits/byte", "per word"],
    };

    private static string[] Row(ItemResults result)
    {
        Dictionary<string, double> figures = result.Figures.ToDictionary(score => score.Name, score => score.Value);
        string[] wanted = result.File.Kind switch
        {
            ItemKind.Choice => ["accuracy", "accuracyError", "accuracyNormalized", "accuracyNormalizedError"],
            ItemKind.LastWord => ["accuracy", "accuracyError", "perplexity"],
            _ => ["tokens", "loss", "bitsPerByte", "wordPerplexity"],
        };
        return
        [
            $"{Path.GetFileName(result.File.Path)}{(Path.GetFileNameWithoutExtension(result.File.Path) == result.File.Format ? "" : $" ({result.File.Format})")}",
            Display.Count(result.Items.Count),
            // One question alone has no standard error.
            .. wanted.Select(name => name == "tokens" ? Display.Count((long)figures[name]) : double.IsNaN(figures[name]) ? "" : Display.Figure(figures[name])),
            .. result.Calibration is { } calibration ? [Display.Figure(calibration.Error)] : Array.Empty<string>(),
        ];
    }

    private static JsonObject ToJson(ItemResults result)
    {
        var json = new JsonObject { ["file"] = result.File.Path, ["layout"] = result.File.Format, ["items"] = result.Items.Count };
        foreach (Score score in result.Figures)
        {
            json[score.Name] = score.Value;
        }

        if (result.Calibration is { } calibration)
        {
            json["calibrationError"] = calibration.Error;
        }

        return json;
    }

    private static JsonObject ToJson(Calibration calibration) => new()
    {
        ["error"] = calibration.Error,
        ["largestError"] = calibration.LargestError,
        ["brier"] = calibration.Brier,
        ["topBrier"] = calibration.TopBrier,
        ["nats"] = calibration.Nats,
        ["answers"] = calibration.Count,
        ["bins"] = new JsonArray(
        [
            .. calibration.Bins.Select(bin => new JsonObject
            {
                ["from"] = bin.From, ["to"] = bin.To, ["count"] = bin.Count, ["confidence"] = bin.Confidence, ["accuracy"] = bin.Accuracy,
            }),
        ]),
    };

    private static void WriteItems(StreamWriter writer, List<ItemResults> results)
    {
        var options = new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        foreach (ItemResults file in results)
        {
            for (int i = 0; i < file.Items.Count; i++)
            {
                writer.Write($"{FiniteJson.Clean(ItemToJson(file, i))!.ToJsonString(options)}\n");
            }
        }
    }

    private static JsonObject ItemToJson(ItemResults file, int index)
    {
        ItemResult item = file.Items[index];
        var json = new JsonObject { ["file"] = file.File.Path, ["item"] = index, ["context"] = item.Item.Context };
        if (file.File.Kind == ItemKind.Page)
        {
            json["logLikelihood"] = item.LogLikelihoods[0];
            json["tokens"] = item.Tokens[0].Count;
            return json;
        }

        json["choices"] = new JsonArray([.. item.Item.Choices.Select(choice => JsonValue.Create(choice))]);
        json["logLikelihoods"] = new JsonArray([.. item.LogLikelihoods.Select(value => JsonValue.Create(value))]);
        json["tokens"] = new JsonArray([.. item.Tokens.Select(tokens => JsonValue.Create(tokens.Count))]);
        json["greedy"] = new JsonArray([.. item.LogLikelihoods.Select((_, choice) => JsonValue.Create(item.IsGreedy(choice)))]);
        if (file.File.Kind == ItemKind.Choice)
        {
            json["probabilities"] = new JsonArray([.. item.Probabilities().Select(value => JsonValue.Create(value))]);
            json["gold"] = item.Item.Gold;
            json["predicted"] = item.Predicted;
            json["predictedNormalized"] = item.PredictedByCharacter;
        }

        return json;
    }

    private static void WriteTokens(StreamWriter writer, List<ItemResults> results, TrainedModel trained)
    {
        var table = new TokenTable(writer, trained.Tokenizer);
        table.Begin("file", "item", "choice", "position");
        foreach (ItemResults file in results)
        {
            for (int item = 0; item < file.Items.Count; item++)
            {
                for (int choice = 0; choice < file.Items[item].Tokens.Count; choice++)
                {
                    IReadOnlyList<TokenScore> tokens = file.Items[item].Tokens[choice];
                    for (int i = 0; i < tokens.Count; i++)
                    {
                        table.Add(tokens[i], file.File.Path, item, choice, i);
                    }
                }
            }
        }
    }

    private static void Write(string? file, Action<StreamWriter> write, Output output)
    {
        if (file is null)
        {
            return;
        }

        OutputFile.Write(file, stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
            write(writer);
        });
        output.Note($"written to {file}");
    }
}
