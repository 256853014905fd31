using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>
/// A grid of sizes and tokens at one recipe, in full: each size with all its settings. The file <see cref="FileName"/> of its folder holds it, so that runs are begun and collected without
/// the command that it was made by.
/// </summary>
public sealed record ScalingGrid : IValidated
{
    /// <summary>The file's name in the folder of a grid.</summary>
    public const string FileName = "scaling.json";

    /// <summary>The version that is written.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of the file.</summary>
    [Bounds(1, CurrentVersion)]
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The sizes, the smallest model first.</summary>
    public IReadOnlyList<ScalingSize> Sizes { get; init; } = [];

    /// <summary>What each of them is trained on: a run for each number of tokens, for a schedule that ends earlier or later is another training.</summary>
    public IReadOnlyList<long> Tokens { get; init; } = [];

    /// <summary>The values of <c>train.seed</c> that each is trained with.</summary>
    public IReadOnlyList<long> Seeds { get; init; } = [];

    /// <summary>Makes a grid; nothing is allocated.</summary>
    /// <param name="family">The recipe.</param>
    /// <param name="sizes">Sizes, as they were given.</param>
    /// <param name="tokens">Tokens, as they were given.</param>
    /// <param name="seeds">Seeds.</param>
    /// <exception cref="UserException">A size, a number of tokens or a seed is there twice, or is none.</exception>
    public static ScalingGrid Of(ModelFamily family, IReadOnlyList<ModelSize> sizes, IReadOnlyList<long> tokens, IReadOnlyList<long> seeds)
    {
        if (family.Recipe.Train.Batch == 0)
        {
            throw UserException.Usage("train.batch: auto takes what suits each size and machine, so that runs would not be of one recipe, nor tokens of so many steps; give a number");
        }

        RequireDistinct("--sizes", sizes.Select(size => size.ToString()));
        RequireDistinct("--tokens", tokens.Select(count => count.ToString(CultureInfo.InvariantCulture)));
        RequireDistinct("--seeds", seeds.Select(seed => seed.ToString(CultureInfo.InvariantCulture)));
        ScalingSize[] made = [.. sizes.Select(size => ScalingSize.Of(size, family.Asked(size, $"train.tokens={tokens.Max()}", "geometry.enabled=false"))).OrderBy(size => size.Parameters)];
        RunConfig first = made[0].Resolve();
        double perStep = Math.Max(1, first.Train.Batch) * (double)first.Train.Accumulate * first.Model.Context;
        long? less = tokens.Order().FirstOrDefault(count => count < perStep) is > 0 and var found ? found : null;
        if (less is not null)
        {
            throw UserException.Usage(string.Create(CultureInfo.InvariantCulture, $"--tokens {less}: is less than a step of {perStep:0} tokens (batch × accumulate × context)"));
        }

        return tokens.GroupBy(count => (long)(count / perStep)).FirstOrDefault(group => group.Count() > 1) is { } same
            ? throw UserException.Usage(string.Create(CultureInfo.InvariantCulture, $"--tokens {string.Join(',', same)}: are as many steps of {perStep:0} tokens, so that their runs would be the same"))
            : new ScalingGrid { Sizes = made, Tokens = [.. tokens.Order()], Seeds = seeds };
    }

    /// <summary>Its runs, the cheapest first.</summary>
    public IReadOnlyList<ScalingCell> Cells() =>
    [
        .. (from size in Sizes from tokens in Tokens from seed in Seeds select new ScalingCell(size, tokens, seed)).OrderBy(cell => (double)cell.Size.FlopsPerToken * cell.Tokens).ThenBy(cell => cell.Seed),
    ];

    /// <summary>For <see cref="RunSet"/>.</summary>
    public IRunPlan Plan()
    {
        Dictionary<string, RunConfig> configs = Sizes.ToDictionary(size => size.Name, size => size.Resolve());
        return new IndependentRuns([.. Cells().Select(cell => new PlannedRun(cell.Name, cell.Name, cell.ConfigOf(configs[cell.Size.Name])))]);
    }

    /// <summary>Reads the grid of a folder.</summary>
    /// <exception cref="UserException">There is none, or it cannot be read.</exception>
    public static ScalingGrid Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return File.Exists(path)
            ? new ConfigTree<ScalingGrid>().AddFile(path).Build()
            : throw new UserException($"{folder}: is not the folder of a scaling grid; there is no {FileName} in it");
    }

    /// <summary>The text of <see cref="FileName"/>.</summary>
    public string ToJson() => ConfigJson.ToText(ConfigWriter.ToTree(this, typeof(ScalingGrid))!);

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate() =>
    [
        .. new (string Key, int Count)[] { ("sizes", Sizes.Count), ("tokens", Tokens.Count), ("seeds", Seeds.Count) }.Where(list => list.Count == 0).Select(list => new ConfigProblem(list.Key, "is empty")),
    ];

    private static void RequireDistinct(string option, IEnumerable<string> values)
    {
        string[] given = [.. values];
        if (given.Length == 0)
        {
            throw UserException.Usage($"{option}: is empty");
        }

        if (given.GroupBy(value => value).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw UserException.Usage($"{option}: {twice.Key} is there twice");
        }
    }
}

/// <summary>A size of a grid.</summary>
public sealed record ScalingSize
{
    /// <summary>The beginning of the names of its runs: <c>w64-l2</c>.</summary>
    public string Name { get; init; } = "";

    /// <summary>C.</summary>
    public int Width { get; init; }

    /// <summary>L.</summary>
    public int Layers { get; init; }

    /// <summary>N, all parameters, the embedding included.</summary>
    public long Parameters { get; init; }

    /// <summary>Forward and backward, by the convention of shares of a peak.</summary>
    public long FlopsPerToken { get; init; }

    /// <summary>All settings of its runs, with the most tokens.</summary>
    public ConfigOverlay<RunConfig> Settings { get; init; } = new();

    /// <summary><see cref="Settings"/>, resolved.</summary>
    /// <exception cref="ConfigException">They have problems.</exception>
    public RunConfig Resolve() => new ConfigTree().Add(Settings).Build();

    internal static ScalingSize Of(ModelSize size, RunConfig config)
    {
        RunConfig known = RunVocab.Expect(config);
        return new ScalingSize
        {
            Name = size.ToString(),
            Width = size.Width,
            Layers = size.Layers,
            Parameters = CostModel.Of(known.Model, known.Train.Trains).Parameters,
            FlopsPerToken = CostModel.FlopsPerToken(known.Model, known.Train.Trains),
            Settings = ConfigOverlay<RunConfig>.Of((JsonObject)JsonNode.Parse(FullPaths.Of(config).ToJson())!),
        };
    }
}

/// <summary>A run of a grid.</summary>
/// <param name="Size">Of the model.</param>
/// <param name="Tokens">D, as they were asked for; whole steps are trained.</param>
/// <param name="Seed">Its <c>train.seed</c>.</param>
public sealed record ScalingCell(ScalingSize Size, long Tokens, long Seed)
{
    /// <summary>Of its folder.</summary>
    public string Name => Run.Name;

    /// <summary>As other sets of runs have it: <c>w64-l2-t400000-seed1</c>.</summary>
    internal ComparedRun Run => new(
        new ComparedVariant { Name = Size.Name, Folder = string.Create(CultureInfo.InvariantCulture, $"{Size.Name}-t{Tokens}") }, new RatePoint(null, null), Seed);

    /// <summary>What it does, resolved.</summary>
    /// <param name="size">The settings of its size.</param>
    public RunConfig ConfigOf(RunConfig size) => (size with { Train = size.Train with { Tokens = Tokens, Steps = TrainConfig.Unbounded, Seed = Seed } }).Resolve();
}
