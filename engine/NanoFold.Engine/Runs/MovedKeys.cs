using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Keys of <c>train</c> that stand in the optimizer's record since version 4, and are accepted in <c>train</c> for ever: on the command line, in files, in old
/// checkpoints. They keep their names. They are moved when all layers are merged, so that naming another optimizer does not lose them.
/// </summary>
internal sealed class MovedKeys
{
    private const string Section = "train";
    private const string Record = "optimizer";

    private static readonly string[] s_keys = ["matrixLearningRate", "matrixWeightDecay", "beta1", "beta2", "epsilon", "momentum"];

    private readonly HashSet<string> _moved = [];

    private MovedKeys()
    {
    }

    /// <summary>What keeps keys from being moved: those that the chosen optimizer does not have.</summary>
    public List<ConfigProblem> Problems { get; } = [];

    /// <summary>Every key where it stood, and where it stands.</summary>
    public static IEnumerable<(string Old, string Now)> All => s_keys.Select(key => ($"{Section}.{key}", $"{Section}.{Record}.{key}"));

    /// <summary>Where a layer sets a key in its place of today, what earlier ones set in its old place no longer counts.</summary>
    /// <param name="tree">The layers up to this one.</param>
    /// <param name="layer">The last of them.</param>
    public static void Forget(JsonObject tree, JsonObject layer)
    {
        if ((layer[Section] as JsonObject)?[Record] is JsonObject record && tree[Section] is JsonObject section)
        {
            foreach (string key in s_keys.Where(record.ContainsKey))
            {
                section.Remove(key);
            }
        }
    }

    /// <summary>Moves the keys of a merged tree into the optimizer's record.</summary>
    /// <param name="tree">All layers.</param>
    /// <param name="standard">The optimizer where none is named.</param>
    public static MovedKeys Apply(JsonObject tree, OptimizerConfig standard)
    {
        var keys = new MovedKeys();
        if (tree[Section] is JsonObject section)
        {
            foreach (string key in s_keys.Where(section.ContainsKey))
            {
                JsonNode? value = section[key];
                section.Remove(key);
                keys.Move(section, key, value, standard);
            }
        }

        return keys;
    }

    /// <summary>A problem of a key that was moved, under the name that was written.</summary>
    public ConfigProblem AsWritten(ConfigProblem problem)
        => All.FirstOrDefault(key => key.Now == problem.Path && _moved.Contains(key.Old)) is { Old: { } old } ? problem with { Path = old } : problem;

    private void Move(JsonObject section, string key, JsonNode? value, OptimizerConfig standard)
    {
        // A wrong value in the record's place is the problem to report.
        if (section.ContainsKey(Record) && section[Record] is not JsonObject)
        {
            return;
        }

        string kind = section[Record] is JsonObject named && named.ContainsKey(ConfigJson.Kind) ? ConfigJson.TextOf(named[ConfigJson.Kind]) ?? "" : standard.Kind;
        // Where there is no such kind, that is the problem to report.
        if (Variant.Of<OptimizerConfig>().FirstOrDefault(variant => variant.Kind == kind) is not { } optimizer)
        {
            return;
        }

        if (ConfigSchema.Key(optimizer.Type, key) is not null)
        {
            if (section[Record] is not JsonObject record)
            {
                section[Record] = record = [];
            }

            record[key] = value;
            _moved.Add($"{Section}.{key}");
        }
        // A momentum could always be named beside AdamW, and files of older versions do.
        else if (value is not null && (key, kind) != ("momentum", "adamw"))
        {
            string others = string.Join(", ", Variant.Of<OptimizerConfig>().Where(other => ConfigSchema.Key(other.Type, key) is not null).Select(other => $"\"{other.Kind}\""));
            Problems.Add(new ConfigProblem($"{Section}.{key}", $"is a key of {others} and has no effect with optimizer \"{kind}\"; set it to null"));
        }
    }
}
