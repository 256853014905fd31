using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Cli.Running;
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
    private readonly Argument<string?> _file = new("FILE")
    {
        Description = "The comparison in JSON, with comments: { \"base\": {…}, \"equal\": \"params\", \"seeds\": [1, 2, 3], \"learningRates\": [3e-4, 1e-3], \"variants\": { \"name\": {…}, … } }; ready ones are in tools/compare",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _config, _equal, _budget, _rates, _out;
    private readonly Option<string[]> _variants;
    private readonly Option<bool> _dryRun, _collect;
    private readonly RunningOptions _running;
    private readonly TrainOptions _train;
    private readonly VerbCommand _command;

    public CompareOptions(VerbCommand command)
    {
        _command = command;
        command.Add(_file);
        _config = command.Text("--config", "FILE", "The same as FILE");
        _variants = command.Texts("--variants", "NAME,…", "Variants: names of those in the file, or of kinds of mixer, feed-forward, residual connection or optimizer; with settings after the name, as in wide:model.width=256:model.heads=8");
        _equal = command.Text("--equal", "params|flops|tokens|seconds|none", "What is held equal; widths are solved for to have equal params or flops [default: params]");
        _budget = command.Text("--budget", "N", "How much of it: parameters, FLOPs of a training, tokens or seconds; as much as the base has if not given");
        _rates = command.Text("--learning-rates", "X,X,…", "Learning rates that are tried for every variant with the first seed; the best one is taken for all seeds");
        _dryRun = command.Flag("--dry-run", "Say which runs there are, with tokens, memory and time, and stop");
        _running = new RunningOptions(command);
        _collect = command.Flag("--collect", "Train nothing: make the result of what is there in --out");
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

        string[] others = [.. invocation.Given(_command).Where(name => name is not ("--collect" or "--out"))];
        if (others.Length > 0)
        {
            throw UserException.Usage($"--collect makes the result of what is in --out, so it does not take {string.Join(", ", others)}");
        }

        return invocation.Get(_out) ?? throw UserException.Usage("--collect makes the result of the comparison in a folder; name it with --out");
    }

    /// <summary>The folder asked for, or null.</summary>
    public string? Out(Invocation invocation) => invocation.Get(_out);

    /// <summary>How the runs are carried out.</summary>
    /// <exception cref="UserException">The shard is none.</exception>
    public RunSetOptions Running(Invocation invocation, string folder) => _running.Of(invocation, folder);

    /// <inheritdoc cref="RunningOptions.RequireFolder"/>
    public void RequireFolder(Invocation invocation) => _running.RequireFolder(invocation, Out(invocation));

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
        Running(invocation, folder: "");
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
            ComparisonFile chosen = VariantNames.Choose(comparison, variants, "--variants");
            if (chosen.Reference != comparison.Reference)
            {
                invocation.Output.Note($"the reference \"{comparison.Reference}\" of the file is none of --variants; the others are compared with \"{chosen.Reference}\"");
            }

            comparison = chosen;
        }

        return (comparison, new PlanOptions
        {
            Preset = _train.Preset(invocation),
            // The last one may be --seed, which is among the seeds.
            Settings = [.. _train.Settings(invocation).SkipLast(invocation.Seed is null ? 0 : 1)],
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

        if (_running.Seeds(invocation) is { } seeds)
        {
            yield return ("seeds", new JsonArray([.. seeds.Select(seed => (JsonNode)seed)]));
        }

        if (invocation.Get(_rates) is { } rates)
        {
            yield return ("learningRates", new JsonArray([.. rates.Split(',').Select(rate => (JsonNode)Number("--learning-rates", rate))]));
        }
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
                RunSet.CheckText(config.Data);
                using TokenDataset text = TrainData.Open(config, invocation.Output.Note, invocation.Interrupt.Token);
                _known[(config.Data, config.Tokenizer)] = vocab = text.Tokenizer.Vocab;
            }

            return config.WithVocab(vocab);
        }
    }
}
