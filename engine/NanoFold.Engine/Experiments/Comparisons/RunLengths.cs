using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>What is held equal in a comparison, how much of it, and so how long its runs are.</summary>
internal sealed class RunLengths
{
    private const double MostSteps = TrainConfig.Unbounded - 1.0, MostSeconds = 1e9;

    private static readonly string[] s_limits = ["train.steps", "train.tokens", "train.flops", "train.minutes"];

    private readonly EqualKind _equal;

    private RunLengths(EqualKind equal, long tokens, double? budget) => (_equal, Tokens, Budget) = (equal, tokens, budget);

    /// <summary>The limits of a run's length.</summary>
    public static IReadOnlyList<string> Limits => s_limits;

    /// <summary>Of a run of the base; 0 where time ends it.</summary>
    public long Tokens { get; }

    /// <summary>How much is held equal; null where nothing is.</summary>
    public double? Budget { get; }

    /// <summary>What a comparison says, or what its base has.</summary>
    /// <param name="file">The comparison.</param>
    /// <param name="shared">The base.</param>
    /// <param name="problems">Told where no run can be so long.</param>
    public static RunLengths Of(ComparisonFile file, RunConfig shared, List<ConfigProblem> problems)
    {
        long tokens = TokensOf(shared);
        double? budget = file.Budget ?? file.Equal switch
        {
            EqualKind.Parameters => CostModel.Of(shared.Model).Parameters,
            EqualKind.Flops => (double)tokens * CostModel.FlopsPerToken(shared.Model, shared.Train.Trains),
            EqualKind.Tokens => tokens,
            EqualKind.Seconds => shared.Train.Minutes * 60,
            _ => null,
        };
        void Refuse(string message) => problems.Add(file.Places.Locate(new ConfigProblem("budget", message)));
        if (file is { Equal: EqualKind.Tokens, Budget: { } given })
        {
            double most = Math.Floor(PerStep(shared) * MostSteps);
            if (given > most)
            {
                Refuse(string.Create(CultureInfo.InvariantCulture, $"{given:g} tokens are more steps than a run may have; expected at most {most:0}"));
            }

            tokens = (long)Math.Min(given, most);
        }

        if (file.Equal == EqualKind.Seconds && budget > MostSeconds)
        {
            Refuse(string.Create(CultureInfo.InvariantCulture, $"expected at most {MostSeconds:0} seconds, got {budget:g}"));
        }

        return new RunLengths(file.Equal, tokens, file.Equal == EqualKind.None ? null : budget);
    }

    /// <summary>The tokens that a run is trained on; 0 where time ends it.</summary>
    public static long TokensOf(RunConfig config) => Runs.Budget.Of(config) is { IsUnbounded: false } budget ? (long)(budget.Steps * PerStep(config)) : 0;

    /// <summary>Settings that make a run as long as it is to be.</summary>
    public List<(string Key, JsonNode Value)> SettingsFor(RunConfig config) => _equal switch
    {
        EqualKind.Seconds => [("train.minutes", Budget!.Value / 60), ("train.steps", TrainConfig.Unbounded), ("train.tokens", 0), ("train.flops", 0)],
        not EqualKind.None when StepsFor(config) is var steps && steps != Runs.Budget.Of(config).Steps => [("train.steps", steps), ("train.tokens", 0), ("train.flops", 0)],
        _ => [],
    };

    /// <summary>
    /// The windows of a variant's evaluations, so that it is evaluated on as much of what is held back as the base: of a text as many tokens, of another task as many rows; null where that is so, or the
    /// variant says it itself.
    /// </summary>
    /// <param name="draft">The variant.</param>
    /// <param name="shared">The base, as long as runs are.</param>
    /// <param name="build">The variant, as long as runs are.</param>
    public static int? WindowsFor(Draft draft, RunConfig shared, Func<RunConfig> build)
    {
        if (draft.Sets("train.evaluationWindows") || shared.Train.EvaluationWindows is not { } windows || !Equals(draft.Config.Task.Kind, shared.Task.Kind))
        {
            return null;
        }

        RunConfig config = build();
        double wanted = !config.Task.IsText ? windows : (double)windows * shared.Model.Context / config.Model.Context;
        int found = windows == 0 ? 0 : (int)Math.Clamp(Math.Round(wanted), 1, int.MaxValue);
        return found == config.Train.EvaluationWindows ? null : found;
    }

    // With as many tokens as the base, in whole steps.
    private int StepsFor(RunConfig config) => (int)Math.Clamp(Math.Round(Tokens / PerStep(config), MidpointRounding.AwayFromZero), 1, TrainConfig.Unbounded);

    private static double PerStep(RunConfig config) => (double)config.Train.Batch * config.Train.Accumulate * config.Model.Context;
}
