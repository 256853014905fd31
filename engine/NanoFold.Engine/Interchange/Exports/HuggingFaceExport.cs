using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange.HuggingFace;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>A folder that transformers loads as it is: <c>config.json</c>, <c>model.safetensors</c>, <c>generation_config.json</c> and the tokenizer's files.</summary>
internal sealed class HuggingFaceExport : ExportFormat
{
    private static readonly JsonWriterOptions s_options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <inheritdoc/>
    public override string Name => "huggingface";

    /// <inheritdoc/>
    public override IReadOnlyList<ExportType> Types => [ExportType.F32, ExportType.F16, ExportType.BF16];

    /// <inheritdoc/>
    public override bool IsFolder => true;

    /// <inheritdoc/>
    public override ExportedFiles Plan(OwnModel model, ExportType type, string path)
    {
        Architecture architecture = Architecture.For(model.Config);
        JsonObject keys = architecture.Write(model.Config), generation = new() { ["_from_model_config"] = true };
        string stored = type switch { ExportType.F16 => "float16", ExportType.BF16 => "bfloat16", _ => "float32" };
        keys["dtype"] = stored;
        // As the key was called before version 5.
        keys["torch_dtype"] = stored;
        keys["use_cache"] = true;
        // Where a model has none, the library would take those of its own defaults.
        foreach (JsonObject file in new[] { keys, generation })
        {
            file["bos_token_id"] = model.Tokenizer?.Bos;
            file["eos_token_id"] = model.Tokenizer?.Eos;
        }

        return new ExportedFiles(
            $"Hugging Face {architecture.Name}",
            [
                JsonFile(HuggingFaceFormat.ConfigFile, keys),
                new CheckpointFile(ModelFile.Name, stream => Weights(model, architecture, type).WriteTo(stream)),
                JsonFile("generation_config.json", generation),
                .. model.Tokenizer is { } tokenizer ? TokenizerFiles(tokenizer, model.Config.Context, model.ChatTemplate) : [],
            ],
            model.Tokenizer is null ? ["the model has no tokenizer: the folder has none"] : []);
    }

    private static SafeTensorsWriter Weights(OwnModel model, Architecture architecture, ExportType type)
    {
        SafeTensorsWriter writer = ModelFile.NewWriter();
        var theirs = new RuledTensors(architecture.Tensors(model.Config), model.Read);
        foreach ((string name, IReadOnlyList<long> shape) in theirs.Tensors)
        {
            if (type == ExportType.F32)
            {
                writer.Add(name, [.. shape], () => theirs.Read(name));
            }
            else
            {
                writer.Add(name, type.Stored(), [.. shape], () => type.Halves(name, theirs.Read(name)));
            }
        }

        return writer;
    }

    private static IEnumerable<CheckpointFile> TokenizerFiles(Tokenizer tokenizer, int context, string? template)
    {
        JsonObject keys = new() { ["tokenizer_class"] = "PreTrainedTokenizerFast", ["model_max_length"] = context, ["clean_up_tokenization_spaces"] = false };
        foreach ((string key, int? id) in new[] { ("bos_token", tokenizer.Bos), ("eos_token", tokenizer.Eos) })
        {
            if (id is { } token)
            {
                keys[key] = tokenizer.Specials.FirstOrDefault(special => special.Id == token)?.Name ?? tokenizer.Describe(token);
            }
        }

        if (template is not null)
        {
            // Where older versions look; the others take the file.
            keys["chat_template"] = template;
        }

        return [new CheckpointFile(Tokenizer.FileName, stream => stream.Write(tokenizer.ToHuggingFace())), JsonFile("tokenizer_config.json", keys), .. template is null ? Array.Empty<CheckpointFile>() : [new CheckpointFile(ChatTemplate.FileName, stream => stream.Write(Encoding.UTF8.GetBytes(template)))]];
    }

    private static CheckpointFile JsonFile(string name, JsonObject content) => new(name, stream =>
    {
        using (var writer = new Utf8JsonWriter(stream, s_options))
        {
            content.WriteTo(writer);
        }

        stream.Write("\n"u8);
    });
}
