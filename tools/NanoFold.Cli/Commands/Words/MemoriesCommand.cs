using System.CommandLine;
using System.Globalization;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Geometry.Memories;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Words;

/// <summary><c>memories</c>: feed-forward units as keys and values, in three parts.</summary>
internal static class MemoriesCommand
{
    public static void Build(VerbCommand command)
    {
        VerbCommand units = command.Sub("units", "What excites units, and what their values promote");
        var unitText = new TextChoices(units, 16_384);
        Option<int[]?> layers = units.Integers("--layers", "Layers, from 0; all if not given", 0, 100_000);
        Option<int[]?> chosen = units.Integers("--units", "Units of these layers, from 0; the most selective ones if not given", 0, 1 << 24);
        Option<long?> shown = units.Integer("--show", "Units of a layer that are shown; 5 if not given", 1, 1 << 24);
        Option<long?> top = units.Integer("--top", "Contexts and tokens of a unit that are shown; 5 if not given", 1, 100);
        units.Common = [CommonOptions.Device, CommonOptions.Threads];
        units.JsonKeys = "layers [{layer, units, places, agreement, agreementByChance, shown [{unit, selectivity, contexts [{row, at, activation, before, token, next}], promotes [{token, text, logit (of the value alone, with the sign of the strongest activation)}], suppresses}]}], data";
        units.Does(invocation => Units(invocation, unitText, Given(invocation.Get(layers)), Given(invocation.Get(chosen)), (int)(invocation.Get(shown) ?? 5), (int)(invocation.Get(top) ?? 5)));

        VerbCommand predict = command.Sub("predict", "Which units carry what a model predicts after a prompt");
        Option<string?> model = predict.Text("--model", "RUN", ModelOptions.ModelHelp);
        Option<string?> prompt = predict.Text("--prompt", "TEXT", "What stands before");
        Option<bool> special = predict.Flag(Prompts.ParseSpecial, Prompts.ParseSpecialHelp);
        Option<string?> token = predict.Text("--token", "WORD", "What is asked for: the first token of it; what the model finds most likely if not given");
        Option<long?> carriers = predict.Integer("--top", "Units that are shown and tried; 8 if not given", 1, 1000);
        predict.Common = [CommonOptions.Device, CommonOptions.Threads, CommonOptions.Seed];
        predict.JsonKeys = "token, text, probability, logit (less the mean of all tokens), units (what all units contribute to it), carriers [{layer, unit, activation, contribution, withoutIt (growth of -ln p when its value is 0)}], withoutRandom (mean size of the same over random units)";
        predict.Does(invocation => Predict(
            invocation, invocation.Get(model) ?? throw UserException.Usage(ModelOptions.NoModel), invocation.Get(prompt) ?? throw UserException.Usage("--prompt is needed: what stands before"), invocation.Get(special), invocation.Get(token), (int)(invocation.Get(carriers) ?? 8)));

        VerbCommand rewrite = command.Sub("rewrite", "What changes, there and elsewhere, when a unit's value says another token");
        var rewriteText = new TextChoices(rewrite, 4096);
        Option<string?> unit = rewrite.Text("--unit", "LAYER.UNIT", "Which unit, both from 0");
        Option<string?> say = rewrite.Text("--token", "WORD", "What it is to say: the first token of it");
        Option<double?> strength = rewrite.Number("--strength", "S", "How much longer than the old value the change is; 5 if not given", typeof(RewriteSettings), nameof(RewriteSettings.Strength));
        rewrite.Common = [CommonOptions.Device, CommonOptions.Threads, CommonOptions.Seed];
        rewrite.JsonKeys = "layer, unit, token, text, places, excited (places at more than half of the unit's strongest activation), before, after and random {loss, divergence (nats, of what was predicted before), wanted (mean probability of the token at excited places), wantedElsewhere}";
        rewrite.Does(invocation => Rewrite(
            invocation, rewriteText, UnitOf(invocation.Get(unit)), invocation.Get(say) ?? throw UserException.Usage("--token is needed: what the unit is to say"), invocation.Get(strength) ?? new RewriteSettings().Strength));
    }

    private static int[]? Given(int[]? numbers) => numbers is { Length: > 0 } ? numbers : null;

    private static int Units(Invocation invocation, TextChoices text, int[]? layers, int[]? units, int shown, int top)
    {
        string path = text.Model(invocation);
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        if (layers?.FirstOrDefault(layer => layer >= trained.Config.Model.Layers, -1) is { } wrong and >= 0)
        {
            throw UserException.Usage($"--layers {wrong}: the model has {trained.Config.Model.Layers} layers, from 0");
        }

        int[] all = layers ?? [.. Enumerable.Range(0, trained.Config.Model.Layers)];
        foreach (int layer in all)
        {
            if (UnitSurvey.WhyNot(trained.Model, layer) is { } reason)
            {
                invocation.Output.Note($"layer {layer} is left out: {reason}");
            }
        }

        all = [.. all.Where(layer => UnitSurvey.WhyNot(trained.Model, layer) is null)];
        using SampleText sample = text.Open(invocation, trained);
        var survey = new UnitSurvey(trained.Model, sample.Rows, top);
        List<LayerMemory> found = [];
        foreach (int layer in all)
        {
            invocation.Interrupt.Token.ThrowIfCancellationRequested();
            found.Add(survey.Layer(layer, shown, units));
            MemoryTables.Write(invocation.Output, sample, found[^1]);
        }

        invocation.Output.Result(MemoryTables.ToJson(sample, found));
        return Faults.Done;
    }

    private static int Predict(Invocation invocation, string path, string prompt, bool specials, string? token, int top)
    {
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        using TokenWords words = TokenWords.Of(trained, invocation.Interrupt.Token);
        int[] tokens = words.Encode(prompt, specials);
        if (tokens.Length == 0 || tokens.Length > trained.Config.Model.Context)
        {
            throw UserException.Usage($"--prompt: has {tokens.Length} tokens; expected 1 to {trained.Config.Model.Context}, the model's context");
        }

        UnitPrediction found = UnitPrediction.Of(trained.Model, tokens, token is null ? null : words.WordOf(token)[0], top, (ulong)(invocation.Seed ?? 1));
        MemoryTables.Write(invocation.Output, words, found);
        invocation.Output.Result(MemoryTables.ToJson(words, found));
        return Faults.Done;
    }

    private static int Rewrite(Invocation invocation, TextChoices text, (int Layer, int Unit) unit, string token, double strength)
    {
        string path = text.Model(invocation);
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        if (unit.Layer >= trained.Config.Model.Layers)
        {
            throw UserException.Usage($"--unit {unit.Layer}.{unit.Unit}: the model has {trained.Config.Model.Layers} layers, from 0");
        }

        using SampleText sample = text.Open(invocation, trained);
        UnitRewrite found = UnitRewrite.Of(trained.Model, sample.Rows, unit.Layer, unit.Unit, sample.WordOf(token)[0], strength, (ulong)(invocation.Seed ?? 1));
        MemoryTables.Write(invocation.Output, sample, found);
        invocation.Output.Result(MemoryTables.ToJson(sample, found));
        return Faults.Done;
    }

    private static (int Layer, int Unit) UnitOf(string? text)
    {
        string[] parts = (text ?? throw UserException.Usage("--unit is needed: LAYER.UNIT, both from 0")).Split('.');
        return parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int layer) && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int unit)
            ? (layer, unit)
            : throw UserException.Usage($"--unit {text}: expected LAYER.UNIT, both from 0, such as 2.17");
    }
}
