using System.Diagnostics;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Text;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>Compresses with the predictions of a model that is there, and decompresses with the same.</summary>
internal static class ModelCoding
{
    // Parts of a text that are coded side by side; each begins without anything before it, which costs some bytes.
    private const int UsualLanes = 8, LeastLaneBytes = 1 << 14;

    /// <summary>How many parts a text is cut into where nothing else is asked for.</summary>
    public static int LanesFor(int size) => Math.Clamp(size / LeastLaneBytes, 1, UsualLanes);

    public static CompressionResult Compress(TrainedModel trained, ReadOnlySpan<byte> text, CompressionOptions options, Stream target, CancellationToken cancel)
    {
        Tokenizer tokenizer = trained.Tokenizer;
        var tokens = new LosslessTokens(tokenizer);
        int count = Math.Clamp(options.Lanes ?? LanesFor(text.Length), 1, Math.Max(1, text.Length));
        (Lane Lane, List<int> Symbols)[] lanes = new (Lane, List<int>)[count];
        int begin = 0;
        foreach ((int i, int length) in Lane.Cut(text, count).Index())
        {
            var symbols = new List<int>();
            int before = length == 0 ? 0 : tokens.Encode(text.Slice(begin, length), symbols);
            lanes[i] = (new Lane(begin, length, before), symbols);
            begin += length;
        }

        long began = Stopwatch.GetTimestamp();
        var curve = new BitCurve(text.Length, isInOrderOfCoding: false);
        using var walk = new LaneWalk(trained.Model, tokenizer, count);
        var header = new PackedHeader
        {
            Size = text.Length,
            IsPortable = options.IsPortable,
            ModelHash = ModelIdentity.Hash(trained.Model, tokenizer),
            Weights = trained.Weights.TypeOf() is null ? WeightStorage.Float32 : trained.Weights,
            Path = NumericPath.Code(options.IsPortable),
            Fingerprint = walk.Fingerprint,
            Lanes = [.. lanes.Select(lane => lane.Lane)],
        };
        target.Write(header.ToBytes());
        var encoder = new LaneEncoder(header.Lanes, tokenizer, [.. lanes.Select(lane => lane.Symbols)], (coded, sum, isLast) => PackedFile.WriteBlock(target, coded, sum, isLast)) { Curve = curve };
        int[] start = Start(tokenizer);
        walk.Run(encoder, _ => start, int.MaxValue, options.Told(encoder, text.Length), cancel);
        return CompressionResult.Of(encoder, header, began) with { Model = ModelIdentity.Bytes(trained.Model, header.Weights) };
    }

    public static CompressionResult Decompress(TrainedModel trained, PackedFile file, string name, Stream target, CompressionOptions options, CancellationToken cancel)
    {
        PackedHeader header = file.Header;
        Tokenizer tokenizer = trained.Tokenizer;
        if ((trained.Weights.TypeOf() ?? DType.Float32) != (header.Weights.TypeOf() ?? DType.Float32))
        {
            throw new UserException($"{name}: was compressed with the model's weights in {NameOf(header.Weights)}, and they are in {NameOf(trained.Weights)} here");
        }

        if (ModelIdentity.Hash(trained.Model, tokenizer) is var hash && hash != header.ModelHash)
        {
            throw new UserException($"{name}: was compressed with another model: its hash is {header.ModelHash:x16}, that of --model {hash:x16}");
        }

        long began = Stopwatch.GetTimestamp();
        using var walk = new LaneWalk(trained.Model, tokenizer, header.Lanes.Count);
        RequirePath(header, walk, name);
        var decoder = new LaneDecoder(header.Lanes, tokenizer, file.Blocks, name);
        int[] start = Start(tokenizer);
        walk.Run(decoder, _ => start, int.MaxValue, options.Told(decoder, header.Size), cancel);
        decoder.WriteTo(target);
        return CompressionResult.Of(decoder, header, began);
    }

    /// <summary>Throws where predictions are not those that a file was coded with.</summary>
    public static void RequirePath(PackedHeader header, LaneWalk walk, string name)
    {
        byte here = NumericPath.Code(header.IsPortable);
        if (header.Fingerprint != walk.Fingerprint)
        {
            throw new UserException(header.Path != here
                ? $"{name}: was compressed with {NumericPath.Name(header.Path)} instructions, and this processor computes other bits with {NumericPath.Name(here)}; decompress it on a processor of that kind, or compress with --portable"
                : $"{name}: the model's numbers are others here than where it was compressed, also with {NumericPath.Name(here)}: decompress with the version of the program that compressed it{(header.IsPortable ? "" : ", or compress with --portable")}");
        }
    }

    private static string NameOf(WeightStorage weights) => $"{weights.TypeOf() ?? DType.Float32}";

    // What the first token is predicted from.
    private static int[] Start(Tokenizer tokenizer)
    {
        int[] start = [.. tokenizer.PromptStart];
        start = start.Length > 0 ? start : tokenizer.Encode("\n");
        return start.Length > 0 ? start : [0];
    }
}
