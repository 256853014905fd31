using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Training;

/// <summary>Writes down what it is told, and may do something at a step.</summary>
internal sealed class Recorder(Action<long>? onStep = null, Action<StepReport>? onReport = null) : ITrainObserver
{
    public List<long> Steps { get; } = [];

    public List<double> Losses { get; } = [];

    public Dictionary<long, Evaluation> Evaluations { get; } = [];

    public List<(long Step, string Text)> Samples { get; } = [];

    public List<long> Checkpoints { get; } = [];

    public List<string> Notes { get; } = [];

    public void Note(string line) => Notes.Add(line);

    public void Stepped(in StepReport report)
    {
        Steps.Add(report.Step);
        Losses.Add(report.Result.Loss);
        onReport?.Invoke(report);
        onStep?.Invoke(report.Step);
    }

    public Dictionary<long, Evaluation> FullEvaluations { get; } = [];

    public void Evaluated(long step, Evaluation evaluation, Evaluation? full)
    {
        Evaluations.Add(step, evaluation);
        if (full is { } all)
        {
            FullEvaluations.Add(step, all);
        }
    }

    public void Sampled(long step, string text) => Samples.Add((step, text));

    public void Saved(long step, string path)
    {
        Assert.That(Directory.Exists(path), path);
        Checkpoints.Add(step);
    }
}
