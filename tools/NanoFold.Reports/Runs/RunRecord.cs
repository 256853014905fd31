using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Reports.Runs;

/// <summary>What a run has left in its folder, read only. A run that is under way can be read too.</summary>
internal sealed class RunRecord
{
    private readonly IReadOnlyList<JsonElement> _metrics;
    private readonly Lazy<CostModel?> _cost;
    private readonly Lazy<long?> _flopsPerToken;

    private RunRecord(string path, string? name, JsonObject settings, RunConfig? config)
    {
        FullPath = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        Settings = settings;
        Config = config;
        Name = name ?? Path.GetFileName(FullPath);
        _metrics = Lines(RunFolder.MetricsFile);
        Geometry = [.. Lines(RunFolder.GeometryFile).SelectMany(GeometryPoint.Of)];
        Samples = Lines(RunFolder.SamplesFile);
        bool isCounted = config is { Model: { Vocab: > 0 } or { HasVocab: false } };
        _cost = new Lazy<CostModel?>(() => isCounted ? CostModel.Of(config!.Model, config.Train.Trains) : null);
        _flopsPerToken = new Lazy<long?>(() => isCounted ? CostModel.FlopsPerToken(config!.Model, config.Train.Trains) : null);
    }

    /// <summary>The last part of its path, or what tells it from runs of the same name.</summary>
    public string Name { get; }

    public string FullPath { get; }

    /// <summary>Its configuration as it is written.</summary>
    public JsonObject Settings { get; }

    /// <summary>Its configuration; null where it has kinds of another program.</summary>
    public RunConfig? Config { get; }

    /// <summary>What its model takes; null where the configuration is not known in full.</summary>
    public CostModel? Cost => _cost.Value;

    public long? FlopsPerToken => _flopsPerToken.Value;

    /// <summary>What was measured of the residual stream while it trained, in the order in which it was.</summary>
    public IReadOnlyList<GeometryPoint> Geometry { get; }

    /// <summary>Lines of the log of samples.</summary>
    public IReadOnlyList<JsonElement> Samples { get; }

    /// <summary>How far it is.</summary>
    public double Steps => Last("step") ?? 0;

    /// <summary>Tokens trained on.</summary>
    public double Tokens => Last("tokens") ?? 0;

    /// <summary>Whether its loss is that of a text, in nats per token; of another task otherwise.</summary>
    public bool IsText => Config is { } config ? config.Task is { IsText: true } and not PreferenceConfig : Last("validationBitsPerByte") is not null;

    /// <summary>Reads the folder of a run.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="name">What it is called; null for the last part of its path.</param>
    /// <exception cref="UserException">It is none, or damaged.</exception>
    public static RunRecord Read(string path, string? name = null)
    {
        string file = Path.Combine(path, RunConfig.FileName);
        if (!File.Exists(file))
        {
            throw new UserException(Directory.Exists(path) ? $"{path}: is not a run folder (it has no {RunConfig.FileName})" : $"{path}: there is no such folder");
        }

        RunConfig? config = null;
        try
        {
            config = SavedRun.LoadConfig(path);
        }
        catch (UserException e) when (e.InnerException is Engine.Configuration.ConfigException { Problems: var problems } && problems.All(problem => problem.UnknownKind is not null))
        {
            // A run of a program with kinds of its own: its figures can be shown, its costs not be counted.
        }

        return new RunRecord(path, name, Json(file) ?? throw new UserException($"{file}: is not a configuration"), config);
    }

    /// <summary>A file of the folder that holds one object; null where it is not there.</summary>
    public JsonObject? Object(string name) => File.Exists(Path.Combine(FullPath, name)) ? Json(Path.Combine(FullPath, name)) : null;

    /// <summary>The last value of a key of its metrics.</summary>
    public double? Last(string key)
    {
        for (int i = _metrics.Count - 1; i >= 0; i--)
        {
            if (Number(_metrics[i], key) is { } value)
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>What the last evaluation scored: on all that is held back where it was of that too, otherwise on its rows; null where there was none.</summary>
    /// <param name="score">As keys have it after <c>validation</c>: <c>Loss</c>.</param>
    public double? Final(string score)
    {
        JsonElement last = _metrics.LastOrDefault(line => Number(line, "validation" + score) is not null || Number(line, "fullValidation" + score) is not null);
        return last.ValueKind != JsonValueKind.Object ? null : Number(last, "fullValidation" + score) ?? Number(last, "validation" + score);
    }

    /// <summary>How a key of its metrics went; null where it has none.</summary>
    public Curve? Curve(string key)
    {
        JsonElement[] lines = [.. _metrics.Where(line => Number(line, key) is not null)];
        return lines.Length == 0 ? null : new Curve([.. lines.Select(line => new CurvePoint(
            Number(line, "step") ?? 0, Number(line, "tokens") ?? 0, Number(line, "flops") ?? 0, Number(line, "elapsedSeconds") ?? 0, Number(line, key)!.Value))]);
    }

    /// <summary>The numeric keys of its metrics that have a prefix, without it.</summary>
    public IReadOnlyList<string> Keys(string prefix)
        => [.. _metrics.SelectMany(line => line.EnumerateObject()).Where(pair => pair.Value.ValueKind == JsonValueKind.Number && pair.Name.StartsWith(prefix, StringComparison.Ordinal)).Select(pair => pair.Name[prefix.Length..]).Distinct()];

    internal static double? Number(JsonElement line, string key)
        => line.TryGetProperty(key, out JsonElement element) && element.ValueKind == JsonValueKind.Number ? element.GetDouble() : null;

    private static JsonObject? Json(string file)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(file), documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true }) as JsonObject;
        }
        catch (JsonException e)
        {
            throw new UserException($"{file}: is damaged: {e.Message}", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", file, e);
        }
    }

    private IReadOnlyList<JsonElement> Lines(string name)
    {
        string file = Path.Combine(FullPath, name);
        return File.Exists(file) ? JsonLinesLog.Read(file) : [];
    }
}
