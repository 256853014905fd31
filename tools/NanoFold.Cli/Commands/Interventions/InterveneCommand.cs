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
        Option<string?> model = command.Text("--model", "RUN", ModelOptions.ModelHelp);
        var edits = new EditOptions(command);
        Option<string?> data = command.Text("--data", "PATH", "A file, folder or pattern of text; what the run held back if nothing is given");
        var reading = new TextOptions(command);
        Option<string[]> prompts = command.Texts("--prompt", "TEXT", "A text to read instead; its last place is where tokens are looked at; may be given several times");
        Option<bool> special = command.Flag(Prompts.ParseSpecial, Prompts.ParseSpecialHelp);
        Option<string?> task = command.Text("--task", "NAME", "Another task than the one that the run was trained on");
        Option<string[]> settings = command.Texts("--set", "KEY=VALUE", "A setting of that task, such as task.pairs=8; may be given several times");
        Option<string[]> tokens = command.Texts("--token", "TEXT", "A token whose probability is told, as text or as # and its number; may be given several times. Of a prompt the likeliest if none is given");
        Option<bool> each = command.Flag("--each", "Edit each point that is named by itself, in place of all together");
        Option<long?> rows = command.Integer("--rows", "Rows that are gone through, evenly spaced; about 32,768 places if not given", 1, 1 << 24);
        Option<long?> controls = command.Integer("--controls", "Random edits of equal size; 5 if not given", 0, MostControls);
        command.Common = [CommonOptions.Device, CommonOptions.Threads, CommonOptions.Seed];
        command.JsonKeys = "edits (as read), controls (how many), seed, inputs [{data, prompt (of one), rows, places (with a target), unit, loss {plain, edited, change, controls [..], controlChange, controlDeviation}, divergence {places, edited, controls [..]} (KL in nats of the unedited distribution to the edited one, mean over these places: the first ones, as many as there is room for), tokens [{id, text, plain, edited, change, controls [..], controlChange, controlDeviation} (probabilities)]}]; with --each inputs [{data, prompt, rows, places, unit, points [{edit (its number), point, loss, divergence, tokens}]}]";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(model) ?? throw UserException.Usage(ModelOptions.NoModel),
            edits.Edits(invocation) is { Count: > 0 } given ? given : throw UserException.Usage("--edit is needed, such as --edit '{\"kind\":\"ablate\",\"points\":\"blocks.0.hook_mlp_out\"}'"),
            invocation.Get(prompts) ?? [],
            invocation.Get(tokens) ?? [],
            invocation.Get(each),
            new InterventionOptions
            {
                Data = invocation.Get(data), Reading = invocation.Get(data) is null ? null : reading.Reading(invocation), Rows = (int?)invocation.Get(rows), ParseSpecial = invocation.Get(special),
                TaskSettings = [.. invocation.Get(task) is { } name ? [$"task={name}"] : Array.Empty<string>(), .. invocation.Get(settings) ?? []],
                Controls = (int)(invocation.Get(controls) ?? 5), Seed = (ulong)(invocation.Seed ?? 1),
            }));
    }

    private static int Run(Invocation invocation, string path, IReadOnlyList<EditConfig> edits, string[] prompts, string[] tokens, bool each, InterventionOptions options)
    {
        Output output = invocation.Output;
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        int[] chosen = [.. tokens.Select(token => TokenOf(token, trained))];
        var inputs = new JsonArray();
        foreach (string? prompt in prompts.Length > 0 ? prompts : new string?[] { null })
        {
            InterventionOptions own = options with { Prompt = prompt, Tokens = chosen };
            if (each)
            {
                EditedPoint[] points = [.. Intervention.RunEach(trained, edits, own, output.Note, invocation.Interrupt.Token)];
                InterventionTables.Show(output, points, prompt);
                inputs.Add(InterventionTables.ToJson(points, prompt));
            }
            else
            {
                InterventionResult result = Intervention.Run(trained, edits, own, output.Note, invocation.Interrupt.Token);
                InterventionTables.Show(output, result, prompt);
                inputs.Add(InterventionTables.ToJson(result, prompt));
            }
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
        int vocab = trained.Config.Model.Outputs == 0 ? trained.Config.Model.Vocab : throw UserException.Usage($"--token {given}: the model gives real values, no tokens");
        if (given.StartsWith('#') && int.TryParse(given.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out int id))
        {
            return id < vocab ? id : throw UserException.Usage($"--token {given}: the model knows tokens 0 to {vocab - 1}");
        }

        Tokenizer tokenizer = trained.HasTokenizer ? trained.Tokenizer : throw UserException.Usage($"--token {given}: the run was trained on a task that has no text; give # and a number");
        int[] ids = tokenizer.Encode(given);
        return ids is [var one] ? one : throw UserException.Usage($"--token '{given}': is {ids.Length} tokens{(ids.Length > 0 ? $" ({string.Join(", ", ids.Take(8).Select(i => $"#{i}"))})" : "")}; give one of them");
    }
}
