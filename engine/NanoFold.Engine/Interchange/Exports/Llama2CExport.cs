using System.Runtime.InteropServices;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange.Gguf.Architectures;
using NanoFold.Engine.Interchange.HuggingFace;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Engine.Interchange.LlamaC;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>
/// A file of llama2.c in its first form, which its <c>run</c> reads: seven numbers, then 32-bit weights with two tables of positions among them. Its tokenizer is written beside it
/// where that format has a place for it.
/// </summary>
internal sealed class Llama2CExport : ExportFormat
{
    private const int FirstByte = 3;

    /// <inheritdoc/>
    public override string Name => "llama2.c";

    /// <inheritdoc/>
    public override ExportedFiles Plan(OwnModel model, ExportType type, string path)
    {
        ModelConfig config = model.Config;
        var llama = new Llama();
        var header = new Llama2CHeader(0, config.Width, config.FeedForward.HiddenFor(config), config.Layers, config.Heads, config.KvHeads, config.Vocab, config.Context, config.Tied);
        ModelConfig back = llama.Read(new ForeignConfig(Name, header.Keys()) { Context = config.Context }).Resolve();
        if (llama.Unsaid(config, back) is [{ } unsaid, ..])
        {
            throw new UserException($"llama2.c cannot express {unsaid}");
        }

        List<CheckpointFile> files = [new CheckpointFile(path, stream => Write(model, llama, header, stream))];
        List<string> notes = [];
        switch (model.Tokenizer)
        {
            case SentencePieceTokenizer { Bos: 1, Eos: 2 } pieces when pieces.Vocab == config.Vocab && pieces.Model.Method == PieceMethod.Bpe && pieces.Vocab > FirstByte && pieces.Model.Pieces[FirstByte].Kind == PieceKind.Byte:
                files.Add(new CheckpointFile($"{Path.GetFileNameWithoutExtension(path)}-tok{config.Vocab}.bin", stream => stream.Write(Llama2CFile.Write(pieces.Model))));
                break;
            case { } other:
                notes.Add($"the tokenizer ({other.Name}) has no place in llama2.c, which knows SentencePiece BPE of as many tokens as the model has");
                break;
            default:
                break;
        }

        return new ExportedFiles("llama2.c", files, notes);
    }

    private static void Write(OwnModel model, Llama llama, Llama2CHeader header, Stream stream)
    {
        var names = new GgufLlama();
        var none = new NoTensors();
        var theirs = new RuledTensors(llama.Tensors(model.Config).Select(rule => names.Rule(rule, none, model.Config)), model.Read);
        // A negative vocabulary says that the head is a matrix of its own.
        int[] head = [header.Width, header.Hidden, header.Layers, header.Heads, header.KvHeads, header.Tied ? header.Vocab : -header.Vocab, header.Context];
        stream.Write(MemoryMarshal.AsBytes(head.AsSpan()));
        foreach ((string? name, _) in header.Tensors())
        {
            if (name is null)
            {
                WriteTable(header, Math.Cos, stream);
                WriteTable(header, Math.Sin, stream);
                continue;
            }

            for (int layer = 0; layer < (name.Contains('*', StringComparison.Ordinal) ? header.Layers : 1); layer++)
            {
                WriteFloats(theirs.Read(name.Replace("*", $"{layer}", StringComparison.Ordinal)), stream);
            }
        }
    }

    // Programs skip the tables; they are what they say all the same.
    private static void WriteTable(Llama2CHeader header, Func<double, double> value, Stream stream)
    {
        var row = new float[header.HeadDim / 2];
        for (int position = 0; position < header.Context; position++)
        {
            for (int i = 0; i < row.Length; i++)
            {
                float frequency = 1 / MathF.Pow(Llama2CHeader.RopeBase, 2 * i / (float)header.HeadDim);
                row[i] = (float)value(position * frequency);
            }

            WriteFloats(row, stream);
        }
    }

    private static void WriteFloats(ReadOnlySpan<float> values, Stream stream)
    {
        const int Piece = 1 << 20;
        for (; values.Length > 0; values = values[Math.Min(Piece, values.Length)..])
        {
            stream.Write(MemoryMarshal.AsBytes(values[..Math.Min(Piece, values.Length)]));
        }
    }
}
