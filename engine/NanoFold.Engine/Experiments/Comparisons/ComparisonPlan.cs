using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>
/// From a comparison as it is written to one in full: every variant is built and checked, given as many tokens as the base, and solved for its width by counting. Every problem is named at once.
/// </summary>
public sealed class ComparisonPlan
{
    private readonly ComparisonFile _file;
    private readonly RunBuilder _builder;
    private readonly PlanProblems _problems;

    private ComparisonPlan(ComparisonFile file, PlanOptions options) => (_file, _builder, _problems) = (file, new RunBuilder(file, options), new PlanProblems(file));

    /// <summary>Plans a comparison.</summary>
    /// <exception cref="ConfigException">With every problem there is.</exception>
    public static Comparison Of(ComparisonFile file, PlanOptions? options = null)
    {
        options ??= new PlanOptions();
        List<ConfigProblem> ofGrid = [];
        file = VariantGrid.Expand(file, ofGrid);
        var plan = new ComparisonPlan(file, options);
        PlanProblems problems = plan._problems;
        problems.All.AddRange(ofGrid);
        problems.ThrowAny();
        VariantChecks.Names(file, problems.All);
        plan.Transfer();
        RunConfig? shared = problems.Try(null, () => plan._builder.Build(null));
        ConfigProblem[] ofBase = [.. problems.All];
        Draft[] drafts = [.. file.Variants.Select(variant => new Draft(variant.Key, variant.Value, problems.Try(variant.Key, () => plan._builder.Build(variant.Value), ofBase)!))];
        problems.ThrowAny();
        VariantChecks.Settings(file, options.Settings, shared!, drafts, problems.All);
        problems.ThrowAny();
        return plan.Solve(shared!, drafts);
    }

    /// <summary>The base of a comparison in other widths, in the parametrization that it is compared in.</summary>
    /// <exception cref="ConfigException">It has problems.</exception>
    public static ModelFamily FamilyOf(ComparisonFile file, PlanOptions options)
    {
        var plan = new ComparisonPlan(file, options);
        plan.Transfer();
        return new ModelFamily(settings => plan._builder.Build(null, [.. settings.Select(setting => setting.Split('=', 2)).Select(pair => (pair[0], ConfigTree<RunConfig>.ParseValue(pair[0], pair[1])!))]));
    }

    private void Transfer()
    {
        if (_file.TransferWidth is { } width && _problems.Try(null, () => _builder.Build(null, (TransferSearch.Width, width))) is { } small)
        {
            _builder.Transfer(small);
        }

        _problems.ThrowAny();
    }

    private Comparison Solve(RunConfig shared, Draft[] drafts)
    {
        var lengths = RunLengths.Of(_file, shared, _problems.All);
        _problems.ThrowAny();
        RunConfig longBase = _builder.Build(null, lengths.SettingsFor(shared));
        string sharedText = shared.ToJson();
        ComparedVariant?[] variants = [.. drafts.Select(draft => _problems.Try(draft.Name, () => Variant(draft, lengths, longBase)))];
        _problems.ThrowAny();
        return new Comparison
        {
            Equal = _file.Equal,
            Budget = lengths.Budget,
            Reference = _file.Reference ?? (drafts.FirstOrDefault(draft => draft.Text == sharedText) ?? drafts[0]).Name,
            Seeds = _file.Seeds,
            LearningRates = _file.LearningRates,
            WeightDecays = _file.WeightDecays,
            SearchShare = _file.SearchShare,
            TransferWidth = _file.TransferWidth,
            Variants = variants!,
        };
    }

    private ComparedVariant Variant(Draft draft, RunLengths lengths, RunConfig longBase)
    {
        List<(string Key, JsonNode Value)> extra = lengths.SettingsFor(draft.Config);
        if (RunLengths.WindowsFor(draft, longBase, () => _builder.Build(draft.Changes, extra)) is { } windows)
        {
            extra.Add(("train.evaluationWindows", windows));
        }

        if (_file.TransferWidth is { } small && _builder.Build(draft.Changes, [.. extra, (TransferSearch.Width, small)]).Model is { Parametrization: MupConfig, HeadDim: var headDim })
        {
            // Scores are as they are by the usual where heads are as wide as in the variant's own search.
            extra.Add(("model.parametrization.baseHeadDim", headDim));
        }

        RunConfig With(IEnumerable<SolvedSetting> solved) => _builder.Build(draft.Changes, [.. extra, .. solved.Select(size => (size.Key, (JsonNode)size.To))]);
        (double? residual, IReadOnlyList<SolvedSetting> solved) = _file.Equal is EqualKind.Parameters or EqualKind.Flops ? VariantFit.Of(_file, draft, lengths, With) : (null, []);
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
            Tokens = RunLengths.TokensOf(config),
            Settings = RunBuilder.Whole(config),
            SearchSettings = _file.TransferWidth is { } width ? RunBuilder.Whole(TransferSearch.Of(config, width, sizes => _builder.Build(draft.Changes, [.. extra, .. sizes]))) : null,
        };
        return variant with { Residual = _file.Equal == EqualKind.Tokens ? variant.Tokens / lengths.Budget - 1 : residual };
    }
}

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
