using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>What a comparison is planned with, besides what is written in it.</summary>
public sealed record PlanOptions
{
    /// <summary>The preset that the base begins with; null for what its settings say.</summary>
    public string? Preset { get; init; }

    /// <summary>Settings laid over those of the base, <c>train.steps=500</c>.</summary>
    public IReadOnlyList<string> Settings { get; init; } = [];

    /// <summary>A configuration with its vocabulary known; a text that is there already tells it exactly.</summary>
    public Func<RunConfig, RunConfig> WithVocab { get; init; } = RunVocab.Expect;
}

/// <summary>
/// From a comparison as it is written to one in full: every variant is built and checked, given as many tokens as the base, and solved for its width by counting. Every problem is named at once.
/// </summary>
public sealed class ComparisonPlan
{
    // No more than this may be left of a difference in what is held equal.
    private const double Tolerance = 0.05;

    private const double MostSteps = TrainConfig.Unbounded - 1.0, MostSeconds = 1e9;

    private static readonly string[] s_limits = ["train.steps", "train.tokens", "train.flops", "train.minutes"];

    private readonly ComparisonFile _file;
    private readonly PlanOptions _options;
    private readonly List<ConfigProblem> _problems = [];

    // µP with the width of the search as its base; null for the parametrization that settings name.
    private JsonObject? _transfer;

    // The base, as long as runs are; before it is known none.
    private RunConfig? _base;

    private ComparisonPlan(ComparisonFile file, PlanOptions options) => (_file, _options) = (file, options);

    /// <summary>Plans a comparison.</summary>
    /// <exception cref="ConfigException">With every problem there is.</exception>
    public static Comparison Of(ComparisonFile file, PlanOptions? options = null)
    {
        List<ConfigProblem> ofGrid = [];
        file = VariantGrid.Expand(file, ofGrid);
        var plan = new ComparisonPlan(file, options ?? new PlanOptions());
        plan._problems.AddRange(ofGrid);
        plan.ThrowAny();
        VariantChecks.Names(file, plan._problems);
        plan.Transfer();
        RunConfig? shared = plan.Try(null, () => plan.Build(null));
        ConfigProblem[] ofBase = [.. plan._problems];
        Draft[] drafts = [.. file.Variants.Select(variant => new Draft(variant.Key, variant.Value, plan.Try(variant.Key, () => plan.Build(variant.Value), ofBase)!))];
        plan.ThrowAny();
        VariantChecks.Settings(file, plan._options.Settings, shared!, drafts, plan._problems);
        plan.ThrowAny();
        return plan.Solve(shared!, drafts);
    }

    /// <summary>The base of a comparison in other widths, in the parametrization that it is compared in.</summary>
    /// <exception cref="ConfigException">It has problems.</exception>
    public static ModelFamily FamilyOf(ComparisonFile file, PlanOptions options)
    {
        var plan = new ComparisonPlan(file, options);
        plan.Transfer();
        return new ModelFamily(settings => plan.Build(null, [.. settings.Select(setting => setting.Split('=', 2)).Select(pair => (pair[0], ConfigTree<RunConfig>.ParseValue(pair[0], pair[1])!))]));
    }

    private void Transfer()
    {
        if (_file.TransferWidth is { } width && Try(null, () => Build(null, (TransferSearch.Width, width))) is { } small)
        {
            _transfer = new JsonObject { ["kind"] = "mup", ["baseWidth"] = width, ["baseHeadDim"] = small.Model.HeadDim };
        }

        ThrowAny();
    }

    private Comparison Solve(RunConfig shared, Draft[] drafts)
    {
        long tokens = TokensOf(shared);
        double? budget = _file.Equal switch
        {
            EqualKind.Parameters => _file.Budget ?? CostModel.Of(shared.Model).Parameters,
            EqualKind.Flops => _file.Budget ?? (double)tokens * CostModel.FlopsPerToken(shared.Model, shared.Train.Trains),
            EqualKind.Tokens => _file.Budget ?? tokens,
            EqualKind.Seconds => _file.Budget ?? shared.Train.Minutes * 60,
            _ => null,
        };
        if (_file is { Equal: EqualKind.Tokens, Budget: { } given })
        {
            double most = Math.Floor(PerStep(shared) * MostSteps);
            if (given > most)
            {
                _problems.Add(new ConfigProblem("budget", string.Create(CultureInfo.InvariantCulture, $"{given:g} tokens are more steps than a run may have; expected at most {most:0}")));
            }

            tokens = (long)Math.Min(given, most);
        }

        if (_file.Equal == EqualKind.Seconds && budget > MostSeconds)
        {
            _problems.Add(new ConfigProblem("budget", string.Create(CultureInfo.InvariantCulture, $"expected at most {MostSeconds:0} seconds, got {budget:g}")));
        }

        ThrowAny();
        _base = Build(null, LengthOf(shared, tokens, budget));
        string sharedText = shared.ToJson();
        ComparedVariant?[] variants = [.. drafts.Select(draft => Try(draft.Name, () => Variant(draft, tokens, budget)))];
        ThrowAny();
        return new Comparison
        {
            Equal = _file.Equal,
            Budget = budget,
            Reference = _file.Reference ?? (drafts.FirstOrDefault(draft => draft.Text == sharedText) ?? drafts[0]).Name,
            Seeds = _file.Seeds,
            LearningRates = _file.LearningRates,
            WeightDecays = _file.WeightDecays,
            SearchShare = _file.SearchShare,
            TransferWidth = _file.TransferWidth,
            Variants = variants!,
        };
    }

    private ComparedVariant Variant(Draft draft, long tokens, double? budget)
    {
        List<(string Key, JsonNode Value)> extra = LengthOf(draft.Config, tokens, budget);
        if (WindowsOf(draft, extra) is { } windows)
        {
            extra.Add(("train.evaluationWindows", windows));
        }

        if (_file.TransferWidth is { } small && Build(draft.Changes, [.. extra, (TransferSearch.Width, small)]).Model is { Parametrization: MupConfig, HeadDim: var headDim })
        {
            // Scores are as they are by the usual where heads are as wide as in the variant's own search.
            extra.Add(("model.parametrization.baseHeadDim", headDim));
        }

        RunConfig With(IEnumerable<SolvedSetting> solved) => Build(draft.Changes, [.. extra, .. solved.Select(size => (size.Key, (JsonNode)size.To))]);
        double? residual = null;
        IReadOnlyList<SolvedSetting> solved = [];
        if (_file.Equal is EqualKind.Parameters or EqualKind.Flops)
        {
            (residual, solved) = Fit(draft, tokens, budget!.Value, With);
        }

        RunConfig config = With(solved);
        CostModel cost = CostModel.Of(config.Model, config.Train.Trains);
        var variant = new ComparedVariant
        {
            Name = draft.Name,
            Folder = VariantChecks.FolderOf(draft.Name),
            Changes = draft.Changes,
            Solved = solved,
            Parameters = cost.Parameters,
            FlopsPerToken = CostModel.FlopsPerToken(config.Model, config.Train.Trains),
            CacheBytesPerToken = (double)cost.CacheBytesPerSequence / config.Model.Context,
            Tokens = TokensOf(config),
            Settings = Whole(config),
            SearchSettings = _file.TransferWidth is { } width ? Whole(TransferSearch.Of(config, width, sizes => Build(draft.Changes, [.. extra, .. sizes]))) : null,
        };
        return variant with { Residual = _file.Equal == EqualKind.Tokens ? variant.Tokens / budget - 1 : residual };
    }

    private (double? Residual, IReadOnlyList<SolvedSetting> Solved) Fit(Draft draft, long tokens, double budget, Func<IEnumerable<SolvedSetting>, RunConfig> with)
    {
        bool parameters = _file.Equal == EqualKind.Parameters;
        double target = parameters ? budget : budget / tokens;
        RunConfig? Allowed(IReadOnlyList<SolvedSetting> sizes)
        {
            try
            {
                return with(sizes);
            }
            catch (ConfigException)
            {
                return null;
            }
        }

        bool ownWidth = draft.Sets("model.width"), ownHidden = draft.Sets("model.hidden") || draft.Sets("model.feedForward.hidden");
        bool hidden = !ownHidden && _file.Fit != FitKind.Width, width = !ownWidth && _file.Fit != FitKind.Hidden;
        SizeFit Fitted(bool width)
        {
            var fit = new SizeFit(Allowed, config => parameters ? CostModel.Of(config.Model).Parameters : CostModel.FlopsPerToken(config.Model, config.Train.Trains), target);
            fit.Run(draft.Config, width, hidden);
            return fit;
        }

        // What differs in its feed-forward only keeps its width, if it can.
        SizeFit fit = Fitted(width && !(hidden && _file.Fit == FitKind.Auto && draft.IsFeedForwardOnly));
        fit = Math.Abs(fit.Residual) > Tolerance && width ? Fitted(width) : fit;
        if (Math.Abs(fit.Residual) <= Tolerance)
        {
            return (fit.Residual, fit.Solved);
        }

        string what = parameters ? string.Create(CultureInfo.InvariantCulture, $"{budget:#,0} parameters") : string.Create(CultureInfo.InvariantCulture, $"{target:#,0} FLOPs per token");
        string[] searched = [.. width ? ["model.width"] : Array.Empty<string>(), .. hidden ? ["model.hidden"] : Array.Empty<string>()];
        string found = string.Join(" and ", fit.Solved.Select(size => $"{size.Key} = {size.To}"));
        throw new ConfigException([new ConfigProblem("model.width", string.Create(CultureInfo.InvariantCulture,
            $"{(searched.Length == 0 ? "the variant sets its widths itself, and is not" : $"no {string.Join(" or ", searched)} comes")} within {Tolerance * 100:0} % of {what}; {(found.Length == 0 ? "as it is" : $"with {found}")} it is {fit.Residual * 100:+#,0.#;-#,0.#} % off; give another budget, or equal = tokens"))]);
    }

    // What makes runs of a variant as long as they are to be.
    private List<(string Key, JsonNode Value)> LengthOf(RunConfig config, long tokens, double? budget) => _file.Equal switch
    {
        EqualKind.Seconds => [("train.minutes", budget!.Value / 60), ("train.steps", TrainConfig.Unbounded), ("train.tokens", 0), ("train.flops", 0)],
        not EqualKind.None when StepsFor(config, tokens) is var steps && steps != Budget.Of(config).Steps => [("train.steps", steps), ("train.tokens", 0), ("train.flops", 0)],
        _ => [],
    };

    // As much of what is held back as the base evaluates on: of a text as many tokens, of another task as many rows; null where that is so, or the variant says it itself.
    private int? WindowsOf(Draft draft, List<(string Key, JsonNode Value)> extra)
    {
        if (draft.Sets("train.evaluationWindows") || _base!.Train.EvaluationWindows is not { } windows || !Equals(draft.Config.Task.Kind, _base.Task.Kind))
        {
            return null;
        }

        RunConfig config = Build(draft.Changes, extra);
        double wanted = !config.Task.IsText ? windows : (double)windows * _base.Model.Context / config.Model.Context;
        int found = windows == 0 ? 0 : (int)Math.Clamp(Math.Round(wanted), 1, int.MaxValue);
        return found == config.Train.EvaluationWindows ? null : found;
    }

    // With as many tokens as given, in whole steps.
    private static int StepsFor(RunConfig config, long tokens)
        => (int)Math.Clamp(Math.Round(tokens / PerStep(config), MidpointRounding.AwayFromZero), 1, TrainConfig.Unbounded);

    private static double PerStep(RunConfig config) => (double)config.Train.Batch * config.Train.Accumulate * config.Model.Context;

    private static long TokensOf(RunConfig config) => Budget.Of(config) is { IsUnbounded: false } budget ? (long)(budget.Steps * PerStep(config)) : 0;

    private static ConfigOverlay<RunConfig> Whole(RunConfig config) => ConfigOverlay<RunConfig>.Of((JsonObject)JsonNode.Parse(Open(config).ToJson())!);

    // What the text decides is left to the runs.
    private static RunConfig Open(RunConfig config) => FullPaths.Of(config.Task.IsText && config.Tokenizer is Data.BpeTokenizerConfig ? config with { Model = config.Model with { Vocab = 0 } } : config);

    private RunConfig Build(ConfigOverlay<RunConfig>? variant, params IReadOnlyList<(string Key, JsonNode Value)> extra)
    {
        ConfigTree tree = new ConfigTree(_options.Preset).Set("train.detailedEvaluation", JsonValue.Create(true));
        if (_transfer is not null)
        {
            tree.Set("model.parametrization", _transfer);
        }

        tree.Add(_file.Base);
        foreach (string setting in _options.Settings)
        {
            tree.Set(setting);
        }

        if (variant is not null)
        {
            tree.Add(variant);
        }

        foreach ((string key, JsonNode value) in extra)
        {
            tree.Set(key, value);
        }

        tree.Set("train.seed", JsonValue.Create(_file.Seeds.FirstOrDefault()));
        return _options.WithVocab(tree.Build());
    }

    // What a variant has of problems besides those of the base is told with its name.
    private T? Try<T>(string? variant, Func<T> build, params IReadOnlyList<ConfigProblem> known)
        where T : class
    {
        try
        {
            return build();
        }
        catch (ConfigException e)
        {
            _problems.AddRange(e.Problems.Where(problem => !known.Contains(problem)).Select(problem => variant is null ? problem : VariantGrid.Named(_file, variant, problem)));
            return null;
        }
    }

    private void ThrowAny()
    {
        if (_problems.Count > 0)
        {
            throw new ConfigException([.. _problems.Distinct()]);
        }
    }

    /// <summary>The limits of a run's length.</summary>
    internal static IReadOnlyList<string> Limits => s_limits;
}
