using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Interventions;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Text;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Interventions;

/// <summary><c>intervene</c>: what edits of points change of the loss and of tokens' probabilities, beside random edits of equal size.</summary>
internal static class InterveneCommand
{
    private const int MostControls = 1000;

    public static void Build(VerbCommand command)
    {
        Option<string?> model = command.Text("--model", "RUN", "A run folder (its best checkpoint) or a checkpoint");
        Option<string[]> edit = command.Texts("--edit", "JSON", EditOptions.Help);
        Option<string?> data = command.Text("--data", "PATH", "A file, folder or pattern of text; what the run held back if nothing is given");
        var reading = new TextOptions(command);
        Option<string[]> prompts = command.Texts("--prompt", "TEXT", "A text to read instead; its last place is where tokens are looked at; may be given several times");
        Option<string?> task = command.Text("--task", "NAME", "Another task than the one that the run was trained on");
        Option<string[]> settings = command.Texts("--set", "KEY=VALUE", "A setting of that task, such as task.pairs=8; may be given several times");
        Option<string[]> tokens = command.Texts("--token", "TEXT", "A token whose probability is told, as text or as # and its number; may be given several times. Of a prompt the likeliest if none is given");
        Option<long?> rows = command.Integer("--rows", "Rows that are gone through, evenly spaced; about 32,768 places if not given", 1, 1 << 24);
        Option<long?> controls = command.Integer("--controls", "Random edits of equal size; 5 if not given", 0, MostControls);
        command.Common = [CommonOptions.Device, CommonOptions.Threads, CommonOptions.Seed];
        command.JsonKeys = "edits (as read), controls (how many), seed, inputs [{data, prompt (of one), rows, places (with a target), unit, loss {plain, edited, change, controls [..], controlChange, controlDeviation}, divergence {edited, controls [..]} (KL in nats of the unedited distribution to the edited one, mean over places), tokens [{id, text, plain, edited, change, controls [..], controlChange, controlDeviation} (probabilities)]}]";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(model) ?? throw UserException.Usage("--model is needed: a run folder of train, or a checkpoint"),
            invocation.Get(edit) is { Length: > 0 } given ? EditList.Read(given) : throw UserException.Usage("--edit is needed, such as --edit '{\"kind\":\"ablate\",\"points\":\"blocks.0.hook_mlp_out\"}'"),
            invocation.Get(prompts) ?? [],
            invocation.Get(tokens) ?? [],
            new InterventionOptions
            {
                Data = invocation.Get(data), Reading = invocation.Get(data) is null ? null : reading.Reading(invocation), Rows = (int?)invocation.Get(rows),
                TaskSettings = [.. invocation.Get(task) is { } name ? [$"task={name}"] : Array.Empty<string>(), .. invocation.Get(settings) ?? []],
                Controls = (int)(invocation.Get(controls) ?? 5), Seed = (ulong)(invocation.Seed ?? 1),
            }));
    }

    private static int Run(Invocation invocation, string path, IReadOnlyList<EditConfig> edits, string[] prompts, string[] tokens, InterventionOptions options)
    {
        Output output = invocation.Output;
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        int[] chosen = [.. tokens.Select(token => TokenOf(token, trained))];
        var inputs = new JsonArray();
        foreach (string? prompt in prompts.Length > 0 ? prompts : new string?[] { null })
        {
            InterventionResult result = Intervention.Run(trained, edits, options with { Prompt = prompt, Tokens = chosen }, output.Note, invocation.Interrupt.Token);
            Show(output, result, prompt);
            inputs.Add(ToJson(result, prompt));
        }

        output.Result(new JsonObject
        {
            ["edits"] = EditList.ToJson(edits),
            ["controls"] = options.Controls,
            ["seed"] = (long)options.Seed,
            ["inputs"] = inputs,
        });
        return Faults.Done;
    }

    private static int TokenOf(string given, TrainedModel trained)
    {
        int vocab = trained.Config.Model.Vocab;
        if (given.StartsWith('#') && int.TryParse(given.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out int id))
        {
            return id < vocab ? id : throw UserException.Usage($"--token {given}: the model knows tokens 0 to {vocab - 1}");
        }

        Tokenizer tokenizer = trained.HasTokenizer ? trained.Tokenizer : throw UserException.Usage($"--token {given}: the run was trained on a task that has no text; give # and a number");
        int[] ids = tokenizer.Encode(given);
        return ids is [var one] ? one : throw UserException.Usage($"--token '{given}': is {ids.Length} tokens{(ids.Length > 0 ? $" ({string.Join(", ", ids.Take(8).Select(i => $"#{i}"))})" : "")}; give one of them");
    }

    private static void Show(Output output, InterventionResult result, string? prompt)
    {
        output.Line(prompt is null
            ? $"{result.Data}: {Display.Count(result.Rows, "row")}, {Display.Count(result.Places, "place")} with a target"
            : $"the prompt {Quoted(prompt)}: {Display.Count(result.Places + 1, "token")}");
        bool compares = result.Edited.Divergence is not null;
        string[] Row(string name, double? loss, string change, string divergence) => [name, loss is { } value ? Display.Figure(value) : "", change, .. compares ? [divergence] : Array.Empty<string>()];
        Spread loss = Of(result, o => o.Loss);
        output.Table(
            numbers: true,
            Row("", null, "change", "KL").Select((cell, i) => i == 1 ? $"loss ({result.Unit})" : cell).ToArray(),
            Row("unedited", result.Plain.Loss, "", ""),
            Row("edited", result.Edited.Loss, Change(loss.Edited), Figure(result.Edited.Divergence)),
            Row($"random, {result.Controls.Count} of equal size", result.Controls.Count > 0 ? result.Controls.Average(o => o.Loss) : null, loss.Text, result.Controls.Count > 0 ? Figure(result.Controls.Average(o => o.Divergence)) : ""));
        if (result.Tokens.Count > 0)
        {
            output.Line();
            output.Line(prompt is null ? "probability of tokens, mean over these places" : "probability of the next token");
            output.Table(numbers: true,
            [
                ["token", "unedited", "edited", "change", "random"],
                .. result.Tokens.Select((token, i) => (string[])
                    [Quoted(token.Text), Display.Figure(result.Plain.Probabilities[i]), Display.Figure(result.Edited.Probabilities[i]), Change(Of(result, o => o.Probabilities[i]).Edited), Of(result, o => o.Probabilities[i]).Text]),
            ]);
        }
    }

    private static JsonObject ToJson(InterventionResult result, string? prompt)
    {
        JsonObject Spread(Func<Outcome, double?> figure)
        {
            Spread spread = Of(result, figure);
            return new JsonObject
            {
                ["plain"] = figure(result.Plain), ["edited"] = figure(result.Edited), ["change"] = spread.Edited,
                ["controls"] = new JsonArray([.. result.Controls.Select(o => (JsonNode?)figure(o))]), ["controlChange"] = spread.Mean, ["controlDeviation"] = spread.Deviation,
            };
        }

        return new JsonObject
        {
            ["data"] = result.Data,
            ["prompt"] = prompt,
            ["rows"] = result.Rows,
            ["places"] = result.Places,
            ["unit"] = result.Unit,
            ["loss"] = Spread(o => o.Loss),
            ["divergence"] = new JsonObject { ["edited"] = result.Edited.Divergence, ["controls"] = new JsonArray([.. result.Controls.Select(o => (JsonNode?)o.Divergence)]) },
            ["tokens"] = new JsonArray([.. result.Tokens.Select((token, i) =>
            {
                JsonObject one = Spread(o => o.Probabilities[i]);
                one.Insert(0, "id", token.Id);
                one.Insert(1, "text", token.Text);
                return (JsonNode)one;
            })]),
        };
    }

    // Changes of a figure from the unedited run.
    private static Spread Of(InterventionResult result, Func<Outcome, double?> figure)
    {
        double?[] changes = [.. result.Controls.Select(o => figure(o) - figure(result.Plain))];
        double? mean = changes.Length > 0 ? changes.Average() : null;
        double? deviation = changes.Length > 1 && mean is { } m ? Math.Sqrt(changes.Sum(c => (c!.Value - m) * (c.Value - m)) / (changes.Length - 1)) : null;
        return new Spread(figure(result.Edited) - figure(result.Plain), mean, deviation);
    }

    private static string Quoted(string text) => $"'{new string([.. text.Select(letter => char.IsControl(letter) ? '·' : letter)])}'";

    private static string Figure(double? value) => value is { } known ? Display.Figure(known) : "";

    private static string Change(double? value) => value is { } known ? Display.Signed(known) : "";

    private readonly record struct Spread(double? Edited, double? Mean, double? Deviation)
    {
        public string Text => Mean is not { } mean ? "" : Deviation is { } deviation ? $"{Display.Signed(mean)} ± {Display.Figure(deviation)}" : Display.Signed(mean);
    }
}
