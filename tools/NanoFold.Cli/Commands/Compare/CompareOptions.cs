using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli.Commands.Compare;

/// <summary>The options of <c>compare</c>, and the comparison that they make.</summary>
internal sealed class CompareOptions
{
    private const int MostSeeds = 1000;

    private readonly Argument<string?> _file = new("FILE")
    {
        Description = "The comparison in JSON, with comments: { \"base\": {…}, \"equal\": \"params\", \"seeds\": [1, 2, 3], \"learningRates\": [3e-4, 1e-3], \"variants\": { \"name\": {…}, … } }; ready ones are in tools/compare",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _config, _equal, _budget, _seeds, _rates, _out, _shard;
    private readonly Option<string[]> _variants;
    private readonly Option<long?> _jobs;
    private readonly Option<double?> _minutes;
    private readonly Option<bool> _dryRun, _collect;
    private readonly TrainOptions _train;

    public CompareOptions(VerbCommand command)
    {
        command.Add(_file);
        _config = command.Text("--config", "FILE", "The same as FILE");
        _variants = command.Texts("--variants", "NAME,…", "Variants: names of those in the file, or of kinds of mixer, feed-forward, residual connection or optimizer; with settings after the name, as in wide:model.width=256:model.heads=8");
        _equal = command.Text("--equal", "params|flops|tokens|seconds|none", "What is held equal; widths are solved for to have equal params or flops [default: params]");
        _budget = command.Text("--budget", "N", "How much of it: parameters, FLOPs of a training, tokens or seconds; as much as the base has if not given");
        _seeds = command.Text("--seeds", "N|N,N,…", "Seeds of every variant: so many from 1, or these [default: 1]");
        _rates = command.Text("--learning-rates", "X,X,…", "Learning rates that are tried for every variant with the first seed; the best one is taken for all seeds");
        _dryRun = command.Flag("--dry-run", "Say which runs there are, with tokens, memory and time, and stop");
        _jobs = command.Integer("--jobs", "Runs at the same time, each a process with its share of the threads; what is fastest if not given", 1, 1024);
        _shard = command.Text("--shard", "I/N", "Carry out share I of N, for several machines on one file system or an array of jobs");
        _collect = command.Flag("--collect", "Train nothing: make the result of what is there in --out");
        _minutes = command.Number("--minutes", "M", "Stop after so many minutes; the same command goes on (the time of each run is train.minutes)", typeof(Engine.Training.TrainConfig), nameof(Engine.Training.TrainConfig.Minutes));
        _out = command.Text("--out", "DIR", "The folder of the comparison; the same command goes on in it");
        _train = new TrainOptions(command, "--resume", "--init");
    }

    /// <summary>Whether nothing is to be trained.</summary>
    public bool IsDryRun(Invocation invocation) => invocation.Get(_dryRun);

    /// <summary>The folder whose result is to be made of what is there; null where runs are to be carried out.</summary>
    public string? Collected(Invocation invocation)
    {
        if (!invocation.Get(_collect))
        {
            return null;
        }

        return invocation.Get(_out) ?? throw UserException.Usage("--collect makes the result of the comparison in a folder; name it with --out");
    }

    /// <summary>The folder asked for, or null.</summary>
    public string? Out(Invocation invocation) => invocation.Get(_out);

    /// <summary>How the runs are carried out.</summary>
    public RunSetOptions Running(Invocation invocation, string folder) => new(folder)
    {
        Jobs = (int?)invocation.Get(_jobs),
        Threads = invocation.Threads,
        Device = invocation.Device,
        Shard = invocation.Get(_shard) is { } shard ? Shard.Parse(shard) : null,
        Time = invocation.Get(_minutes) is > 0 and double minutes ? TimeSpan.FromMinutes(minutes) : null,
    };

    /// <summary>The name of a folder for a comparison that was given none.</summary>
    public string Name(Invocation invocation, Comparison comparison)
    {
        string name = File(invocation) is { } file
            ? Path.GetFileNameWithoutExtension(file)
            : string.Join('-', comparison.Variants.Select(variant => variant.Folder).Prepend(comparison.ReferenceVariant.Resolve().Task is { IsText: false } task ? task.Kind : "text"));
        return Path.Combine("runs", $"compare-{(name.Length > 60 ? name[..60].TrimEnd('-') : name)}");
    }

    /// <summary>The comparison as it is written: the file, then the other options; variants are laid over the base with the options of a run.</summary>
    /// <exception cref="UserException">It has problems, or the options do not go together.</exception>
    public (ComparisonFile File, PlanOptions Options) Read(Invocation invocation)
    {
        if (invocation.Get(_shard) is { } shard)
        {
            Shard.Parse(shard);
        }

        var tree = new ComparisonTree();
        if (File(invocation) is { } file)
        {
            tree.AddFile(file);
        }

        foreach ((string key, JsonNode? value) in Settings(invocation))
        {
            tree.Set(key, value);
        }

        ComparisonFile comparison = tree.Build();
        if (invocation.Get(_variants) is { Length: > 0 } variants)
        {
            comparison = VariantNames.Choose(comparison, variants, "--variants");
        }

        return (comparison, new PlanOptions
        {
            Preset = _train.Preset(invocation),
            Settings = [.. _train.Settings(invocation).Where(setting => !setting.StartsWith("train.seed=", StringComparison.Ordinal))],
            WithVocab = new TextVocab(invocation).Of,
        });
    }

    private string? File(Invocation invocation) => (invocation.Get(_file), invocation.Get(_config)) switch
    {
        ({ } file, { } config) => throw UserException.Usage($"{file} and --config {config}: a comparison is one file; leave one of them out"),
        var (file, config) => file ?? config,
    };

    private IEnumerable<(string Key, JsonNode? Value)> Settings(Invocation invocation)
    {
        if (invocation.Get(_equal) is { } equal)
        {
            yield return ("equal", equal);
        }

        if (invocation.Get(_budget) is { } budget)
        {
            yield return ("budget", Number("--budget", budget));
        }

        if (invocation.Get(_seeds) is { } seeds)
        {
            yield return ("seeds", Seeds(seeds));
        }
        else if (invocation.Seed is { } seed)
        {
            yield return ("seeds", new JsonArray(seed));
        }

        if (invocation.Get(_rates) is { } rates)
        {
            yield return ("learningRates", new JsonArray([.. rates.Split(',').Select(rate => (JsonNode)Number("--learning-rates", rate))]));
        }
    }

    private static JsonArray Seeds(string text)
    {
        long[] seeds = [.. text.Split(',').Select(part => long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long seed)
            ? seed
            : throw UserException.Usage($"--seeds: expected a number of seeds, or seeds separated by commas, got '{text}'"))];
        if (seeds is [var count] && count is < 1 or > MostSeeds)
        {
            throw UserException.Usage($"--seeds {count}: expected from 1 to {MostSeeds} seeds, or seeds separated by commas");
        }

        return new JsonArray([.. (seeds.Length == 1 ? Enumerable.Range(1, (int)seeds[0]).Select(i => (long)i) : seeds).Select(seed => (JsonNode)seed)]);
    }

    private static double Number(string option, string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) && number > 0
        ? number
        : throw UserException.Usage($"{option}: expected numbers of more than 0, got '{text}'");

    /// <summary>The vocabulary of a text, read once for all variants; their processes then find it in the cache.</summary>
    private sealed class TextVocab(Invocation invocation)
    {
        private readonly Dictionary<(DataConfig, TokenizerConfig), int> _known = [];

        public RunConfig Of(RunConfig config)
        {
            if (!config.Task.IsText)
            {
                return config;
            }

            if (!_known.TryGetValue((config.Data, config.Tokenizer), out int vocab))
            {
                using TokenDataset text = TrainData.Open(config, invocation.Output.Note, invocation.Interrupt.Token);
                _known[(config.Data, config.Tokenizer)] = vocab = text.Tokenizer.Vocab;
            }

            return config.WithVocab(vocab);
        }
    }
}
