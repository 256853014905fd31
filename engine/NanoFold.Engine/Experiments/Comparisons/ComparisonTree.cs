using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>A comparison in layers: a file, then single settings. Settings of runs may be nested or have dotted keys.</summary>
public sealed class ComparisonTree : ConfigTree<ComparisonFile>
{
    private const string Base = "base", Variants = "variants", Grid = "grid", Rates = "learningRates";

    // What may be written beside the base, for short, and is of the base.
    private static readonly (string Key, string Path)[] s_short = [("task", "task"), ("data", "data.path")];

    /// <inheritdoc/>
    protected override string Example => "base.model.layers=2";

    /// <summary>The comparison; what was written beside the base for short stands in the base.</summary>
    /// <exception cref="ConfigException">With every problem there is.</exception>
    public override ComparisonFile Build()
    {
        ComparisonFile file = base.Build();
        JsonObject tree = (JsonObject)file.Base.Tree.DeepClone();
        var places = new ConfigPlaces();
        places.Add(file.Base.Places);
        foreach ((string key, string path) in s_short.Where(s => Written(file, s.Key) is not null))
        {
            ConfigMerge.Apply(tree, Nested(path, Written(file, key)), typeof(RunConfig));
            places.Add(Places.At(key, path));
        }

        return file with { Base = ConfigOverlay<RunConfig>.Of(tree, places), Task = null, Data = null, Places = Places };
    }

    /// <inheritdoc/>
    protected override void Adding(JsonObject layer, string source)
    {
        Expand(layer, Base);
        Expand(layer, Grid);
        if (layer[Variants] is JsonObject variants)
        {
            foreach (string name in variants.Select(variant => variant.Key).ToArray())
            {
                Expand(variants, name);
            }
        }

        foreach ((string key, string path) in s_short.Where(s => layer.ContainsKey(s.Key) && At(layer[Base], s.Path) is not null))
        {
            Refuse(new ConfigProblem(key, $"{Base}.{path} is there too; leave one of them out"));
        }

        if (layer[Rates] is JsonObject range)
        {
            layer[Rates] = LogRange.Expand(range, Rates, Refuse);
        }
    }

    private static JsonNode? Written(ComparisonFile file, string key)
        => key == "data" ? JsonValue.Create(file.Data) : file.Task is null ? null : ConfigWriter.ToTree(file.Task, typeof(Tasks.TaskConfig));

    // Dotted keys become nested ones, each laid over those before it: naming a kind resets its record, later keys fill it.
    private static void Expand(JsonObject parent, string key)
    {
        if (parent[key] is not JsonObject settings)
        {
            return;
        }

        var nested = new JsonObject();
        foreach ((string path, JsonNode? value) in settings)
        {
            ConfigMerge.Apply(nested, Nested(path, value), typeof(RunConfig));
        }

        parent[key] = nested;
    }

    /// <summary>One setting as a tree.</summary>
    internal static JsonObject Nested(string path, JsonNode? value)
    {
        JsonNode? node = value?.DeepClone();
        foreach (string part in path.Split('.').Reverse())
        {
            node = new JsonObject { [part] = node };
        }

        return (JsonObject)node!;
    }

    private static JsonNode? At(JsonNode? node, string path)
    {
        foreach (string part in path.Split('.'))
        {
            node = (node as JsonObject)?[part];
        }

        return node;
    }
}

/// <summary>Numbers at equal ratios: <c>{ "from": 1e-4, "to": 1e-2, "count": 5 }</c>.</summary>
internal sealed record LogRange : IValidated
{
    /// <summary>The first number.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double From { get; init; } = 1e-4;

    /// <summary>The last number.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double To { get; init; } = 1e-2;

    /// <summary>How many there are.</summary>
    [Bounds(2, 64)]
    public int Count { get; init; } = 3;

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
        => To > From ? [] : [new ConfigProblem("to", FormattableString.Invariant($"{To} is not more than from = {From}"))];

    /// <summary>The numbers, with three digits as they are read and written.</summary>
    public IEnumerable<double> Values()
        => Enumerable.Range(0, Count).Select(i => double.Parse(
            (From * Math.Pow(To / From, i / (Count - 1.0))).ToString("G3", System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>The list that a record stands for; an empty one where it has problems.</summary>
    /// <param name="range">As it is written.</param>
    /// <param name="key">Its key.</param>
    /// <param name="refuse">Told of each problem.</param>
    public static JsonArray Expand(JsonObject range, string key, Action<ConfigProblem> refuse)
    {
        try
        {
            LogRange read = new ConfigTree<LogRange>().AddJson(ConfigJson.ToText(range), key).Build();
            return new JsonArray([.. read.Values().Select(value => (JsonNode)JsonValue.Create(value))]);
        }
        catch (ConfigException e)
        {
            foreach (ConfigProblem problem in e.Problems)
            {
                refuse(problem with { Path = $"{key}.{problem.Path}", Place = null });
            }

            return [];
        }
    }
}
