using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Commands.Evaluations;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Runs.Scoring;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>eval</c>: the loss of a checkpoint on a text, its answers to questions, or the scores of one that learned another task.</summary>
internal static class EvalCommand
{
    public static void Build(VerbCommand command)
    {
        var model = new ModelOptions(command, decodes: false);
        Option<string?> data = command.Text("--data", "PATH", "A file, folder or pattern of text, or - for standard input, or with --task conversations a file of them; the run's own if not given");
        Option<string?> part = command.Text("--part", "train|validation|all", "Which part of the text; if not given, of the run's own text what was held back from training, of others all");
        Option<bool> detail = command.Flag("--detail", "Also tell losses apart: by the place in the row, by how frequent a token is, by the part of the document, on longer rows; by what a task tells apart");
        var scoring = new ScoringOptions(command);
        var reading = new TextOptions(command);
        var task = new TaskOptions(command);
        command.Common = [CommonOptions.Device, CommonOptions.Threads];
        command.JsonKeys = "loss (nats per token), bitsPerByte, perplexity, tokens, bytes, part (train, validation or all); of a run with another task than text: task, loss (in the task's unit), what it scores, such as accuracy, tokens (places with a target), part (validation), best and guessing (scores of any model at best, and of one who knows nothing, where known); with --detail besides detail, the object that docs/evaluation.md describes, as in evaluation.json of a run; with --stride or --per-token besides words, wordPerplexity, bytePerplexity, calibrationError, stride; with --items questions (a file each: file, layout, items, and accuracy, accuracyNormalized, accuracyByBytes, perplexity or what it scores, each accuracy with its standard error, such as accuracyError) and calibration (error, largestError, brier, topBrier, nats, answers, bins)";
        command.Does(invocation => Run(
            invocation,
            model.Choice(invocation),
            invocation.Get(data),
            PartOf(invocation.Get(part)),
            invocation.Get(detail),
            reading,
            task,
            scoring));
    }

    private static TextPart? PartOf(string? name) => name switch
    {
        null => null,
        "train" => TextPart.Train,
        "validation" => TextPart.Validation,
        "all" => TextPart.All,
        _ => throw UserException.Usage($"--part: expected train, validation or all, not '{name}'"),
    };

    private static int Run(Invocation invocation, ModelChoice model, string? data, TextPart? wanted, bool detail, TextOptions reading, TaskOptions of, ScoringOptions scoring)
    {
        Output output = invocation.Output;
        using Backend backend = Devices.Open(invocation);
        using TrainedModel loaded = model.Load(backend, output.Note);
        using TrainedModel trained = of.Before(invocation, loaded, data);
        data = of.ReadsData(invocation) ? null : data;
        bool isOwn = ReferenceEquals(trained, loaded);
        string? ofText = data is not null ? "--data" : reading.Given(invocation) ?? (wanted is not null ? "--part" : null);
        if (scoring.AsksQuestions(invocation))
        {
            return QuestionEvaluation.Run(invocation, trained, scoring, detail ? "--detail" : ofText);
        }

        // Conversations are evaluated on what is held back of them, unless a text is named.
        if (trained.Config.Task is not TextConfig && (data is null || !trained.Config.Task.IsText))
        {
            return TaskEvaluation.Run(invocation, trained, isOwn ? model.Path : null, detail, scoring.Given(invocation) ?? (wanted == TextPart.Validation && ofText == "--part" ? null : ofText));
        }

        scoring.Require(invocation, trained);
        CorpusOptions read = reading.Reading(invocation, trained.Config.Data.Reading);
        using Corpus corpus = data is not null ? Corpus.Open(data, read)
            : TrainData.OpenAgain(trained.Config.Data, "say where the run's text is now with --data", () => Corpus.OpenOrDefault(trained.Config.Data.Path, read));
        TextPart part = wanted ?? trained.PartToEvaluate(corpus, output.Note);
        if (wanted is null && part == TextPart.Validation)
        {
            output.Note($"{corpus.Name} is what the run was trained on: the part that it validated with is evaluated; --part all takes all of it");
        }

        TextScores? scores = scoring.Score(invocation, trained, corpus, part);
        Evaluation result = scores?.Evaluation ?? trained.Evaluate(corpus, part, output.Note, invocation.Interrupt.Token);
        output.Table(
            numbers: false,
            [
                ["loss", $"{Display.Figure(result.Loss)} nats per token"],
                ["bits per byte", Display.Figure(result.BitsPerByte)],
                ["perplexity", Display.Number(result.Perplexity, result.Perplexity < 1e9 ? "0.00" : "g4")],
                ["tokens", Display.Count(result.Tokens)],
                ["bytes", Display.Count(result.Bytes)],
                .. scores is null ? Array.Empty<string[]>() : ScoringOptions.Rows(scores),
            ]);
        if (!double.IsFinite(result.Perplexity))
        {
            output.Note("this loss has no perplexity that a number can hold: the model has diverged; train it again with a lower train.learningRate");
        }

        var json = new JsonObject
        {
            ["loss"] = result.Loss,
            ["bitsPerByte"] = result.BitsPerByte,
            ["perplexity"] = result.Perplexity,
            ["tokens"] = result.Tokens,
            ["bytes"] = result.Bytes,
            ["part"] = part switch { TextPart.Train => "train", TextPart.Validation => "validation", _ => "all" },
        };
        if (scores is not null)
        {
            scoring.Add(json, invocation, scores);
        }

        if (detail)
        {
            DetailedEvaluation found = trained.EvaluateInDetail(corpus, part, output.Note, invocation.Interrupt.Token);
            json["detail"] = DetailTables.Show(output, found);
            DetailTables.Keep(output, model.Path, found, isOwn: isOwn && part == TextPart.Validation && trained.IsOwn(corpus));
        }

        output.Result(json);
        return Faults.Done;
    }
}
