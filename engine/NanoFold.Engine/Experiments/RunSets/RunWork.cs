using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Experiments;

/// <summary>What a run takes, as far as that is known before it begins.</summary>
/// <param name="Key">Runs with the same take as long for a token.</param>
/// <param name="Steps">Planned; 0 where only the time ends it, or they are not known.</param>
/// <param name="Tokens">Of these steps.</param>
/// <param name="Flops">Of these tokens.</param>
/// <param name="Seconds">At most, where it has a time of its own.</param>
public sealed record RunWork(string Key, long Steps, double Tokens, double Flops, double? Seconds);

/// <summary>The work of many runs, of which most have the same model: that is counted once.</summary>
internal sealed class RunWorks
{
    private readonly Dictionary<string, long> _flops = [];

    /// <summary>Of a configuration; what cannot be counted is 0.</summary>
    public RunWork Of(RunConfig config)
    {
        string key = KeyOf(config);
        try
        {
            RunConfig known = RunVocab.Expect(config);
            if (!_flops.TryGetValue(key, out long flops))
            {
                _flops[key] = flops = CostModel.FlopsPerToken(known.Model, known.Train.Trains);
            }

            Budget budget = Budget.Of(known);
            long steps = budget.IsUnbounded || known.Train.Batch == 0 ? 0 : budget.Steps;
            double tokens = (double)steps * known.Train.Batch * known.Train.Accumulate * known.Model.Context;
            return new RunWork(key, steps, tokens, tokens * flops, budget.Seconds);
        }
        catch (Exception e) when (e is UserException or OverflowException)
        {
            // The run itself is going to say what is wrong.
            return new RunWork(key, 0, 0, 0, null);
        }
    }

    /// <summary>What decides how long a token takes: all settings but those that are only about which numbers come out and how many steps there are.</summary>
    public static string KeyOf(RunConfig config)
    {
        TrainConfig train = config.Train;
        return (config with
        {
            Train = train with
            {
                Seed = 0, LearningRate = 1, WeightDecay = 0, Warmup = null, Steps = 1, Tokens = 0, Flops = 0, Minutes = 0, EvaluateEvery = 1, EvaluationWindows = 1, CheckpointEvery = 1, DetailedEvaluation = false,
                Optimizer = train.Optimizer is MuonConfig muon ? muon with { MatrixLearningRate = 1 } : train.Optimizer,
            },
        }).ToJson();
    }
}
