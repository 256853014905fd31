using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Experiments.Baselines;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Compression;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Compression;

/// <summary><c>compress</c>: a file, by what a model predicts.</summary>
internal static class CompressCommand
{
    /// <summary>What a compressed file's name ends in.</summary>
    public const string Extension = ".nfc";

    // General compressors take seconds a megabyte.
    private const int MostCompared = 1 << 26;

    public static void Build(VerbCommand command)
    {
        var file = new Argument<string>("FILE") { Description = "What is compressed: any file" };
        command.Add(file);
        Option<string?> model = command.Text("--model", "RUN", "A run folder (its best checkpoint), a checkpoint, or a model of another program; it is needed again to decompress");
        Option<string?> adapter = command.Text("--adapter", "DIR", ModelOptions.AdapterHelp);
        var weights = new WeightOptions(command);
        Option<bool> prequential = command.Flag("--prequential", "Without a model: one that learns while it codes, and learns the same way while decompressing");
        Option<string?> preset = command.Text("--preset", string.Join('|', Presets.Names), "Of the model that learns; nano if not given");
        Option<string[]> set = command.Texts("--set", "KEY=VALUE", "A setting of model or train of the model that learns; may be given several times");
        Option<double?> passes = command.Number("--passes", "X", "How many times each byte is trained on, on average; 8 if not given", typeof(Bounded), nameof(Bounded.Passes));
        Option<string?> target = command.Text("--out", "PATH", $"The compressed file; FILE{Extension} if not given");
        Option<bool> portable = command.Flag("--portable", "The same bits on any machine: several times slower, and decompressed anywhere");
        Option<long?> lanes = command.Integer("--lanes", "Parts that are coded side by side: more are faster, and each begins without knowing what stands before it", 1, 1 << 10);
        Option<string?> curve = command.Text("--curve", "PATH", "Bits per byte of pieces of the file, as .csv, .json or a page with the curve, .html");
        Option<bool> alone = command.Flag("--alone", "No gzip, xz and zstd beside");
        command.Common = [CommonOptions.Threads];
        command.JsonKeys = "path, bytes, sourceBytes, bitsPerByte, crossEntropy (bits per byte: −log₂ of the probabilities, before they become whole numbers; null where stored), tokens, rawBytes (that no token stood for), tokensPerSecond, seconds, lanes, numericPath, steps (with --prequential), weights (f16, bf16 or q8_0, with --weights), model {fp32, q8_0, and what --weights says (bytes of its parameters)}, withModel (the same: bytes together), others {gzip, xz, zstd (bytes)}";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(file)!,
            invocation.Get(model),
            (invocation.Get(adapter), weights),
            invocation.Get(prequential) ? new PrequentialSettings { Preset = invocation.Get(preset) ?? Presets.Default, Settings = invocation.Get(set) ?? [], Passes = invocation.Get(passes) ?? 8 } : null,
            OptionOfPrequential(invocation, preset, set, passes),
            invocation.Get(target),
            new CompressionOptions { IsPortable = invocation.Get(portable), Lanes = (int?)invocation.Get(lanes) },
            invocation.Get(curve),
            invocation.Get(alone)));
    }

    private sealed record Bounded
    {
        [Bounds(0, 1000, AboveMinimum = true)]
        public double Passes { get; init; }
    }

    private static string? OptionOfPrequential(Invocation invocation, Option<string?> preset, Option<string[]> set, Option<double?> passes) =>
        invocation.Get(preset) is not null ? preset.Name : invocation.Get(set) is { Length: > 0 } ? set.Name : invocation.Get(passes) is not null ? passes.Name : null;

    private static int Run(
        Invocation invocation, string file, string? model, (string? Adapter, WeightOptions Weights) of, PrequentialSettings? settings, string? ofPrequential, string? named, CompressionOptions options, string? curve, bool alone)
    {
        if (settings is null == model is null)
        {
            throw UserException.Usage(model is null ? "--model or --prequential is needed: what predicts" : "--model and --prequential: one of them predicts");
        }

        if (settings is null && ofPrequential is not null)
        {
            throw UserException.Usage($"{ofPrequential}: is of the model that learns while it codes; give --prequential");
        }

        if (model is null && (of.Adapter is not null || of.Weights.IsGiven(invocation)))
        {
            throw UserException.Usage($"{(of.Adapter is not null ? "--adapter" : WeightOptions.Name)}: is of a model that is there; name it with --model in place of --prequential");
        }

        string target = TargetOf(named, file + Extension);
        CurveFile? curveFile = curve is null ? null : new CurveFile(curve);
        byte[] text = PackedFiles.Read(file);
        Output output = invocation.Output;
        options = options with { Progress = new PackingProgress(output).Show };
        using Backend backend = Compressor.OpenBackend(invocation.Threads, options.IsPortable);
        using TrainedModel? trained = model is null ? null : TrainedModel.Load(model, backend, of.Adapter, of.Weights.Storage(invocation));
        (byte[] packed, CompressionResult result) = settings is null
            ? Compressor.Compress(trained!, text, options, invocation.Interrupt.Token)
            : Compressor.Compress(settings, text, options, backend, invocation.Interrupt.Token);
        OutputFile.Write(target, stream => stream.Write(packed));
        (string Name, long Bytes)[] others = alone || text.Length > MostCompared ? [] : [("gzip", Compressors.Gzip(text)), ("xz", Compressors.Lzma(text)), ("zstd", Compressors.Zstd(text))];
        if (curveFile is not null && result.Curve is { } points)
        {
            curveFile.Write(points, result, file, [.. Lengths(result), .. others], invocation.Typed);
        }
        else if (curveFile is not null)
        {
            output.Note($"--curve {curve}: not written, for the file is stored as it is");
        }

        Show(output, target, result, others);
        output.Result(ToJson(target, result, others));
        return Faults.Done;
    }

    // One that nobody named is not replaced.
    private static string TargetOf(string? named, string usual)
    {
        if (named is null && File.Exists(usual))
        {
            throw new UserException($"{usual}: is there already; name it with --out to replace it");
        }

        OutputFile.Require(named ?? usual, "--out");
        return named ?? usual;
    }

    private static IEnumerable<(string Name, long Bytes)> Lengths(CompressionResult result)
    {
        yield return (result.Steps > 0 ? "learned while coding" : result.Model is not null ? "given the model" : "as it is", result.PackedBytes);
        foreach ((string name, long bytes) in SizesOf(result.Model))
        {
            yield return ($"  with it in {name}", result.PackedBytes + bytes);
        }
    }

    // As it predicted; where that is single precision, as Q8_0 besides.
    private static IEnumerable<(string Name, long Bytes)> SizesOf(ModelBytes? model) => model is null ? []
        : model.Weights.TypeOf() is { } type ? [(type == DType.Q8_0 ? "Q8_0" : WeightOptions.NameOf(type), model.Used)]
        : [("fp32", model.Single), ("Q8_0", model.Q8)];

    private static void Show(Output output, string target, CompressionResult result, (string Name, long Bytes)[] others)
    {
        string[] Row((string Name, long Bytes) length) => [length.Name, Display.Count(length.Bytes), Display.Number(8.0 * length.Bytes / Math.Max(1, result.SourceBytes), "0.000")];
        output.Line($"{target}: {Display.Count(result.PackedBytes)} of {Display.Count(result.SourceBytes, "byte")}");
        (string Name, long Bytes)[] lengths = [.. Lengths(result)];
        List<string[]> rows = [["", "bytes", "bits per byte"], Row(lengths[0])];
        if (result.CrossEntropy is { } bits)
        {
            rows.Add(["  cross-entropy", Display.Count((long)Math.Ceiling(bits * result.SourceBytes / 8)), Display.Number(bits, "0.000")]);
        }

        rows.AddRange(lengths.Skip(1).Concat(others).Select(Row));
        output.Table(numbers: true, rows);
        if (result.Tokens > 0)
        {
            string trained = result.Steps > 0 ? $", {Display.Count(result.Steps, "step")} of training" : "";
            output.Line($"{Display.Count(result.Tokens, "token")} in {Display.Duration(result.Seconds)}, {Display.Short(result.Tokens / result.Seconds)} tokens/s; {Display.Count(result.Lanes, "lane")}, {result.Path}{trained}");
        }
    }

    private static JsonObject ToJson(string target, CompressionResult result, (string Name, long Bytes)[] others)
    {
        var json = new JsonObject
        {
            ["path"] = target,
            ["bytes"] = result.PackedBytes,
            ["sourceBytes"] = result.SourceBytes,
            ["bitsPerByte"] = result.BitsPerByte,
            ["crossEntropy"] = result.CrossEntropy,
            ["tokens"] = result.Tokens,
            ["rawBytes"] = result.RawBytes,
            ["tokensPerSecond"] = result.Seconds > 0 ? result.Tokens / result.Seconds : null,
            ["seconds"] = result.Seconds,
            ["lanes"] = result.Lanes,
            ["numericPath"] = result.Path,
        };
        if (result.Steps > 0)
        {
            json["steps"] = result.Steps;
        }

        if (result.Model is { } model)
        {
            var sizes = new Dictionary<string, long> { ["fp32"] = model.Single, ["q8_0"] = model.Q8 };
            if (model.Weights.TypeOf() is { } type)
            {
                string name = WeightOptions.NameOf(type);
                json["weights"] = name;
                sizes[name] = model.Used;
            }

            json["model"] = new JsonObject(sizes.Select(size => KeyValuePair.Create(size.Key, (JsonNode?)size.Value)));
            json["withModel"] = new JsonObject(sizes.Select(size => KeyValuePair.Create(size.Key, (JsonNode?)(result.PackedBytes + size.Value))));
        }

        json["others"] = new JsonObject(others.Select(other => KeyValuePair.Create(other.Name, (JsonNode?)other.Bytes)));
        return json;
    }
}
