using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange.Peft;
using NanoFold.Engine.Modules.Adapters;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>A folder that the library peft loads on top of the base: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
internal sealed class PeftExport : ExportFormat
{
    private static readonly JsonWriterOptions s_options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <inheritdoc/>
    public override string Name => "peft";

    /// <inheritdoc/>
    public override IReadOnlyList<ExportType> Types => [ExportType.F32, ExportType.F16, ExportType.BF16];

    /// <inheritdoc/>
    public override bool IsFolder => true;

    /// <inheritdoc/>
    public override bool KeepsAdapters => true;

    /// <inheritdoc/>
    public override ExportedFiles Plan(OwnModel model, ExportType type, string path)
    {
        if (model.Config.Adapters.Count == 0)
        {
            throw new UserException("the model has no adapters (model.adapters), which are all that peft writes; use another format for all of it");
        }

        var writer = new PeftWriter(model);
        return new ExportedFiles(
            "adapter of peft",
            [
                new CheckpointFile(PeftFolder.ConfigFile, stream =>
                {
                    using (var json = new Utf8JsonWriter(stream, s_options))
                    {
                        Config(writer, model.Base).WriteTo(json);
                    }

                    stream.Write("\n"u8);
                }),
                new CheckpointFile(PeftFolder.WeightsFile, stream => Weights(writer, type).WriteTo(stream)),
            ],
            [
                .. model.Base is null ? ["the model that it belongs to is not known: base_model_name_or_path is null"] : Array.Empty<string>(),
                .. writer.IsNamedAsOurs ? ["no architecture of transformers is this model: modules have the names of NanoFold"] : Array.Empty<string>(),
            ]);
    }

    private static SafeTensorsWriter Weights(PeftWriter writer, ExportType type)
    {
        SafeTensorsWriter file = ModelFile.NewWriter();
        foreach ((string name, long[] shape, Func<float[]> values) in writer.Tensors)
        {
            string full = PeftFolder.Prefix + name;
            if (type == ExportType.F32)
            {
                file.Add(full, shape, () => values());
            }
            else
            {
                file.Add(full, type.Stored(), shape, () => type.Halves(full, values()));
            }
        }

        return file;
    }

    // The keys in their order in files of peft, by the alphabet.
    private static JsonObject Config(PeftWriter writer, string? start)
    {
        LoraConfig[] all = [.. writer.Modules.Select(module => module.Adapter)];
        bool same = all.All(lora => lora.RankStabilized == all[0].RankStabilized && lora.Dora == all[0].Dora && lora.Bias == all[0].Bias && lora.Dropout == all[0].Dropout);
        if (!same)
        {
            throw new UserException("model.adapters: peft has one rankStabilized, dora, bias and dropout for all layers; this model has several");
        }

        int rank = all.GroupBy(lora => lora.Rank).MaxBy(group => group.Count())!.Key;
        double alpha = all.GroupBy(lora => lora.Alpha).MaxBy(group => group.Count())!.Key;
        return new JsonObject
        {
            ["alpha_pattern"] = Pattern(writer, lora => lora.Alpha, alpha),
            ["base_model_name_or_path"] = start,
            ["bias"] = writer.Bias,
            ["exclude_modules"] = null,
            ["fan_in_fan_out"] = writer.IsTransposed,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["layers_pattern"] = null,
            ["layers_to_transform"] = null,
            ["lora_alpha"] = Number(alpha),
            ["lora_bias"] = all[0].Bias,
            ["lora_dropout"] = all[0].Dropout,
            ["modules_to_save"] = writer.Saved.Count == 0 ? null : new JsonArray([.. writer.Saved.Select(name => (JsonNode)name)]),
            ["peft_type"] = "LORA",
            ["r"] = rank,
            ["rank_pattern"] = Pattern(writer, lora => lora.Rank, rank),
            ["target_modules"] = new JsonArray([.. writer.Targets.Select(name => (JsonNode)name)]),
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = all[0].Dora,
            ["use_rslora"] = all[0].RankStabilized,
        };
    }

    private static JsonObject Pattern(PeftWriter writer, Func<LoraConfig, double> value, double usual)
    {
        var pattern = new JsonObject();
        foreach (PeftModule module in writer.Modules.Where(module => value(module.Adapter) != usual).OrderBy(module => module.Name, StringComparer.Ordinal))
        {
            pattern[PeftConfig.Exactly(module.Name)] = Number(value(module.Adapter));
        }

        return pattern;
    }

    private static JsonNode Number(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e9 ? (int)value : value;
}
