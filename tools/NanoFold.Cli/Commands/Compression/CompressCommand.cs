using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Experiments.Baselines;
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
        Option<bool> prequential = command.Flag("--prequential", "Without a model: one that learns while it codes, and learns the same way while decompressing");
        Option<string?> preset = command.Text("--preset", string.Join('|', Presets.Names), "Of the model that learns; nano if not given");
        Option<string[]> set = command.Texts("--set", "KEY=VALUE", "A setting of model or train of the model that learns; may be given several times");
        Option<double?> passes = command.Number("--passes", "X", "How many times each byte is trained on, on average; 8 if not given", typeof(Bounded), nameof(Bounded.Passes));
        Option<string?> target = command.Text("--out", "PATH", $"The compressed file; FILE{Extension} if not given");
        Option<bool> portable = command.Flag("--portable", "The same bits on any machine: several times slower, and decompressed anywhere");
        Option<long?> lanes = command.Integer("--lanes", "Parts that are coded side by side: more are faster, and each begins without knowing what stands before it", 1, 1 << 10);
        Option<string?> curve = command.Text("--curve", "PATH", "Bits per byte of pieces of the file, as .csv or .json");
        Option<bool> alone = command.Flag("--alone", "No gzip, xz and zstd beside");
        command.Common = [CommonOptions.Threads];
        command.JsonKeys = "path, bytes, sourceBytes, bitsPerByte, crossEntropy (bits per byte: −log₂ of the probabilities, before they become whole numbers; null where stored), tokens, rawBytes (that no token stood for), tokensPerSecond, seconds, lanes, numericPath, steps (with --prequential), model {fp32, q8_0 (bytes of its parameters)}, withModel {fp32, q8_0 (bytes together)}, others {gzip, xz, zstd (bytes)}";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(file)!,
            invocation.Get(model),
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

    private static int Run(Invocation invocation, string file, string? model, PrequentialSettings? settings, string? ofPrequential, string? named, CompressionOptions options, string? curve, bool alone)
    {
        if (settings is null == model is null)
        {
            throw UserException.Usage(model is null ? "--model or --prequential is needed: what predicts" : "--model and --prequential: one of them predicts");
        }

        if (settings is null && ofPrequential is not null)
        {
            throw UserException.Usage($"{ofPrequential}: is of the model that learns while it codes; give --prequential");
        }

        string target = TargetOf(named, file + Extension);
        Func<BitCurve, string>? writeCurve = curve is null ? null : CurveWriter(curve);
        byte[] text = PackedFiles.Read(file);
        Output output = invocation.Output;
        options = options with { Progress = new PackingProgress(output).Show };
        using Backend backend = Compressor.OpenBackend(invocation.Threads, options.IsPortable);
        using TrainedModel? trained = model is null ? null : TrainedModel.Load(model, backend);
        (byte[] packed, CompressionResult result) = settings is null
            ? Compressor.Compress(trained!, text, options, invocation.Interrupt.Token)
            : Compressor.Compress(settings, text, options, backend, invocation.Interrupt.Token);
        OutputFile.Write(target, stream => stream.Write(packed));
        if (writeCurve is not null && result.Curve is { } points)
        {
            string lines = writeCurve(points);
            OutputFile.Write(curve!, stream => stream.Write(Encoding.UTF8.GetBytes(lines)));
        }
        else if (writeCurve is not null)
        {
            output.Note($"--curve {curve}: not written, for the file is stored as it is");
        }

        (string Name, long Bytes)[] others = alone || text.Length > MostCompared ? [] : [("gzip", Compressors.Gzip(text)), ("xz", Compressors.Lzma(text)), ("zstd", Compressors.Zstd(text))];
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

    private static Func<BitCurve, string> CurveWriter(string path)
    {
        OutputFile.Require(path, "--curve");
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".csv" => Csv,
            ".json" => Json,
            var other => throw UserException.Usage($"--curve {path}: expected .csv or .json, not '{other}'"),
        };
    }

    private static string Csv(BitCurve curve) =>
        $"{(curve.IsInOrderOfCoding ? "coded" : "offset")},bytes,bitsPerByte,meanBitsPerByte\n"
        + string.Concat(curve.Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Offset},{p.Bytes},{p.BitsPerByte:0.######},{p.MeanBitsPerByte:0.######}\n")));

    private static string Json(BitCurve curve) => FiniteJson.Clean(new JsonArray([.. curve.Points.Select(p => (JsonNode)new JsonObject
    {
        [curve.IsInOrderOfCoding ? "coded" : "offset"] = p.Offset,
        ["bytes"] = p.Bytes,
        ["bitsPerByte"] = p.BitsPerByte,
        ["meanBitsPerByte"] = p.MeanBitsPerByte,
    })]))!.ToJsonString() + "\n";

    private static void Show(Output output, string target, CompressionResult result, (string Name, long Bytes)[] others)
    {
        string[] Row(string name, long bytes) => [name, Display.Count(bytes), Display.Number(8.0 * bytes / Math.Max(1, result.SourceBytes), "0.000")];
        output.Line($"{target}: {Display.Count(result.PackedBytes)} of {Display.Count(result.SourceBytes, "byte")}");
        List<string[]> rows = [["", "bytes", "bits per byte"], Row(result.Steps > 0 ? "learned while coding" : result.ModelBytes > 0 ? "given the model" : "as it is", result.PackedBytes)];
        if (result.CrossEntropy is { } bits)
        {
            rows.Add(["  cross-entropy", Display.Count((long)Math.Ceiling(bits * result.SourceBytes / 8)), Display.Number(bits, "0.000")]);
        }

        if (result.ModelBytes > 0)
        {
            rows.Add(Row("  with it in fp32", result.PackedBytes + result.ModelBytes));
            rows.Add(Row("  with it in Q8_0", result.PackedBytes + result.ModelBytesQ8));
        }

        rows.AddRange(others.Select(other => Row(other.Name, other.Bytes)));
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

        if (result.ModelBytes > 0)
        {
            json["model"] = new JsonObject { ["fp32"] = result.ModelBytes, ["q8_0"] = result.ModelBytesQ8 };
            json["withModel"] = new JsonObject { ["fp32"] = result.PackedBytes + result.ModelBytes, ["q8_0"] = result.PackedBytes + result.ModelBytesQ8 };
        }

        json["others"] = new JsonObject(others.Select(other => KeyValuePair.Create(other.Name, (JsonNode?)other.Bytes)));
        return json;
    }
}
