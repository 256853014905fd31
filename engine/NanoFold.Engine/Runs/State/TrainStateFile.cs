using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using NanoFold.Engine.Checkpoints;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// The JSON of a <see cref="TrainState"/>, with <c>files</c>: length and hash of every other file of its checkpoint. Its last member, <c>sha256</c>, is the hash of all others, written without spaces: a state in which a
/// digit has changed is found. Members are those of the record and these two; none may be missing or stand there twice.
/// </summary>
internal static class TrainStateFile
{
    private const string Files = "files";
    private const string Hash = "sha256";
    private const int LargestBytes = 1 << 26;

    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        RespectRequiredConstructorParameters = true,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        Converters = { FiniteJson.Converter },
    };

    // Those of the first version had these.
    private static readonly string[] s_first = ["step", "steps", "seconds", "bestLoss", "lastEvaluation", "contentHash"];

    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false };

    public static CheckpointFile Of(TrainState state, IReadOnlyList<FileSeal> seals) => new(TrainState.FileName, stream =>
    {
        var tree = (JsonObject)JsonSerializer.SerializeToNode(state, s_json)!;
        tree[Files] = JsonSerializer.SerializeToNode(seals, s_json);
        tree[Hash] = HashOf(tree);
        stream.Write(Encoding.UTF8.GetBytes(tree.ToJsonString(s_json)));
    });

    /// <summary>The state and the seals of the other files; null in the first version.</summary>
    public static (TrainState State, IReadOnlyList<FileSeal>? Seals) Load(string path)
    {
        try
        {
            JsonObject tree = JsonNode.Parse(Read(path), documentOptions: s_strict) as JsonObject ?? throw Damaged(path, "it is not a JSON object");
            int version = tree["version"] is JsonValue value && value.TryGetValue(out int number) ? number : throw Damaged(path, "it lacks version");
            if (version > TrainState.CurrentVersion)
            {
                throw new UserException($"{path}: was written by a newer NanoFold; update to read it");
            }

            string[] missing = [.. Members(version).Where(name => !tree.ContainsKey(name))];
            if (missing.Length > 0)
            {
                throw Damaged(path, $"it lacks {string.Join(", ", missing)}");
            }

            if (version > 1 && (string?)tree[Hash] != HashOf(tree))
            {
                throw new UserException($"{path}: is damaged or was changed: its SHA-256 is not that of what was written");
            }

            TrainState state = tree.Deserialize<TrainState>(s_json)!;
            FileSeal[]? seals = version > 1 ? tree[Files].Deserialize<FileSeal[]>(s_json) : null;
            return Problem(state, seals) is { } problem ? throw Damaged(path, problem) : (state, seals);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            // A duplicated key is an ArgumentException or JsonException; a member of another type an InvalidOperationException or FormatException.
            throw new UserException($"{path}: is damaged: it is not JSON of a state, every member once", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    private static string? Problem(TrainState state, FileSeal[]? seals) => state switch
    {
        { ContentHash: null } => "contentHash is null",
        { Seconds: not (>= 0 and < double.PositiveInfinity) } => FormattableString.Invariant($"seconds is {state.Seconds}"),
        { ElapsedSeconds: not (null or (>= 0 and < double.PositiveInfinity)) } => FormattableString.Invariant($"elapsedSeconds is {state.ElapsedSeconds}"),
        { Step: < 0 } => $"step is {state.Step}",
        { LossScale: not (>= LossScaling.Least and <= LossScaling.Most) } => FormattableString.Invariant($"lossScale is {state.LossScale}"),
        _ when state.Steps < Math.Max(1, state.Step) => $"step {state.Step} of {state.Steps}",
        { Version: > 1 } when seals is null || seals.Any(seal => seal?.Name is null || seal.Name != Path.GetFileName(seal.Name)) => "files is not a list of names and hashes",
        _ => null,
    };

    private static IEnumerable<string> Members(int version)
        => version > 1 ? s_json.GetTypeInfo(typeof(TrainState)).Properties.Select(property => property.Name).Append(Files).Append(Hash) : s_first;

    private static string HashOf(JsonObject tree)
    {
        var others = (JsonObject)tree.DeepClone();
        others.Remove(Hash);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(others.ToJsonString())));
    }

    private static byte[] Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        return file.Length <= LargestBytes ? ReadAll(file) : throw Damaged(path, $"it has {file.Length} bytes");
    }

    private static byte[] ReadAll(FileStream file)
    {
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    private static UserException Damaged(string path, string problem) => new($"{path}: is damaged: {problem}");
}
