using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Interchange.Gguf;
using NanoFold.Engine.Interchange.Gguf.Architectures;
using NanoFold.Engine.Interchange.Gguf.Blocks;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>
/// A GGUF file for llama.cpp, its tokenizer in it. Vectors, norms, routers and learned positions are always of 32 bits; of <c>q8_0</c> so are matrices whose rows are no blocks of 32.
/// What the file will say is read before it is written: where it would mean another model, it is not.
/// </summary>
internal sealed class GgufExport : ExportFormat
{
    private const int Block = 32;

    // What transformers and llama.cpp call the same.
    private static readonly Dictionary<string, string> s_names = new(StringComparer.Ordinal)
    {
        ["llama"] = "llama", ["mixtral"] = "llama", ["qwen2"] = "qwen2", ["qwen3"] = "qwen3", ["qwen3_moe"] = "qwen3moe", ["phi3"] = "phi3", ["olmo2"] = "olmo2",
        ["gemma"] = "gemma", ["gemma2"] = "gemma2", ["gemma3_text"] = "gemma3", ["gpt2"] = "gpt2", ["gpt_neox"] = "gptneox",
    };

    /// <inheritdoc/>
    public override string Name => "gguf";

    /// <inheritdoc/>
    public override IReadOnlyList<ExportType> Types => [ExportType.F32, ExportType.F16, ExportType.BF16, ExportType.Q8_0];

    /// <inheritdoc/>
    public override ExportedFiles Plan(OwnModel model, ExportType type, string path)
    {
        Architecture published = Architecture.All.FirstOrDefault(architecture => s_names.ContainsKey(architecture.Name) && architecture.Unsaid(model.Config).Count == 0) ?? throw NoPlace(model.Config);
        GgufArchitecture here = GgufArchitecture.All.Single(architecture => architecture.Name == s_names[published.Name]);
        if (here is GgufPhi3 or GgufQwen && model.Config.LayerConfigs().Any(layer => layer.Mixer is SlidingWindowConfig))
        {
            throw new UserException($"gguf cannot express the windows of {here.Name}, which llama.cpp leaves out");
        }

        if (ExpertRules.OneByOne(model.Config).LayerConfigs().Select(layer => layer.FeedForward is MoeConfig).Distinct().Count() > 1)
        {
            throw new UserException($"gguf cannot express dense feed-forwards beside experts (model.pattern): {here.Name} has experts in every layer");
        }

        List<string> notes = [];
        GgufWriter writer = Writer(model, published, here, type, notes);
        Check(writer, model.Config, published);
        return new ExportedFiles($"GGUF {here.Name}", [new CheckpointFile(path, writer.WriteTo)], notes);
    }

    private static UserException NoPlace(ModelConfig config) => new($"gguf cannot express a model of the architecture {Architecture.For(config).Name}; those that it can: {string.Join(", ", s_names.Keys)}");

    // Of a file with the head alone, for no weight is read.
    private static void Check(GgufWriter writer, ModelConfig config, Architecture published)
    {
        string path = Path.Combine(Path.GetTempPath(), $"nanofold-{Guid.NewGuid():N}.gguf");
        try
        {
            using (var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write))
            {
                writer.WriteHead(file);
            }

            using ForeignModel back = GgufModel.Open(path);
            if (published.Unsaid(config, back.Config with { Context = config.Context }) is [{ } unsaid, ..])
            {
                throw new UserException($"gguf cannot express {unsaid}");
            }
        }
        catch (UserException e) when (e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new UserException($"gguf cannot express the model: {e.Message.Replace(path, "its file", StringComparison.Ordinal)}", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot write", path, e);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static GgufWriter Writer(OwnModel model, Architecture published, GgufArchitecture here, ExportType type, List<string> notes)
    {
        var writer = new GgufWriter();
        GgufKeys.Write(writer, here.Name, model.Config, type);
        GgufTokens.Write(writer, model.Tokenizer, model.Config.Vocab, model.ChatTemplate, notes);
        var none = new NoTensors(GgufKeys.Experts(model.Config));
        var theirs = new RuledTensors(published.Tensors(model.Config).Select(rule => here.Rule(rule, none, model.Config)), model.Read);
        // Gains of these norms are stored as they act.
        bool addsOne = here is GgufGemma;
        foreach ((string name, IReadOnlyList<long> shape) in theirs.Tensors)
        {
            ExportType own = TypeOf(name, shape, type);
            writer.Tensor(name, shape, BlockType.Of(IdOf(own))!, () =>
            {
                float[] values = theirs.Read(name);
                if (addsOne && name.EndsWith("norm.weight", StringComparison.Ordinal))
                {
                    values = Array.ConvertAll(values, gain => gain + 1);
                }

                return own switch
                {
                    ExportType.F32 => BlockWriter.F32(values),
                    ExportType.Q8_0 => BlockWriter.Q8_0(values),
                    _ => own.Halves(name, values),
                };
            });
        }

        return writer;
    }

    private static ExportType TypeOf(string name, IReadOnlyList<long> shape, ExportType asked) =>
        shape.Count < 2 || name.Contains("ffn_gate_inp", StringComparison.Ordinal) || name.StartsWith("position_embd", StringComparison.Ordinal)
        || (asked == ExportType.Q8_0 && shape[^1] % Block != 0)
            ? ExportType.F32 : asked;

    private static uint IdOf(ExportType type) => type switch { ExportType.F16 => 1, ExportType.BF16 => 30, ExportType.Q8_0 => 8, _ => 0 };
}
