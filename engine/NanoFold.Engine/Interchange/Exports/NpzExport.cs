using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>Arrays of numpy under our own names, float32, and the model's settings as JSON in the array <c>config</c>: any model can be written so.</summary>
internal sealed class NpzExport : ExportFormat
{
    private const string ConfigName = "config";

    /// <inheritdoc/>
    public override string Name => "npz";

    /// <inheritdoc/>
    public override ExportedFiles Plan(OwnModel model, ExportType type, string path) => new(
        "npz",
        [new CheckpointFile(path, stream => Write(model, stream))],
        model.Tokenizer is null ? [] : ["the tokenizer has no place in npz"]);

    private static void Write(OwnModel model, Stream stream)
    {
        // An archive closes what it is written to.
        using var kept = new KeptOpen(stream);
        using var arrays = new NpzWriter(kept);
        foreach (WeightInfo weight in model.Weights)
        {
            arrays.Add<float>(weight.Name, [.. weight.Shape], model.Read(weight.Name));
        }

        arrays.Add(ConfigName, [ConfigWriter.ToTree(model.Config, typeof(ModelConfig))!.ToJsonString()]);
    }

    private sealed class KeptOpen(Stream stream) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => stream.CanSeek;

        public override bool CanWrite => true;

        public override long Length => stream.Length;

        public override long Position { get => stream.Position; set => stream.Position = value; }

        public override void Flush() => stream.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => stream.Seek(offset, origin);

        public override void SetLength(long value) => stream.SetLength(value);

        public override void Write(byte[] buffer, int offset, int count) => stream.Write(buffer, offset, count);

        public override void Write(ReadOnlySpan<byte> buffer) => stream.Write(buffer);
    }
}
