using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Interchange.Onnx;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>A graph of ONNX, of standard operators: tokens [batch, time] in, logits out, without a cache. The tokenizer has no place in it.</summary>
internal sealed class OnnxExport : ExportFormat
{
    // Protocol buffers count the bytes of a message in 31 bits.
    private const long MostBytes = int.MaxValue - (1 << 20);

    private static readonly string[] s_architectures = ["llama", "mistral", "qwen2", "qwen3", "smollm3", "phi3", "gpt2"];

    /// <inheritdoc/>
    public override string Name => "onnx";

    /// <inheritdoc/>
    public override ExportedFiles Plan(OwnModel model, ExportType type, string path)
    {
        ModelConfig config = model.Config;
        if (!Architecture.All.Any(architecture => s_architectures.Contains(architecture.Name) && architecture.Unsaid(config).Count == 0))
        {
            throw new UserException($"onnx cannot express a model of the architecture {Architecture.For(config).Name}; those that it can: {string.Join(", ", s_architectures)}");
        }

        (int first, int last) = config.RopeScaling.ChangingLengths(config.Context);
        if (first < last)
        {
            throw new UserException("onnx cannot express model.ropeScaling of a kind whose positions depend on a text's length");
        }

        long bytes = model.Weights.Sum(weight => weight.Count) * sizeof(float);
        if (bytes > MostBytes)
        {
            throw new UserException($"onnx cannot hold {Display.Bytes(bytes)} of weights; a file of it has less than 2 GiB");
        }

        return new ExportedFiles("ONNX", [new CheckpointFile(path, stream => new OnnxDecoder(model).Build().Model("decoder").WriteTo(stream))], model.Tokenizer is null ? [] : ["the tokenizer has no place in ONNX"]);
    }
}
