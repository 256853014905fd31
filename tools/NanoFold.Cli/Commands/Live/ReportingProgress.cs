using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Cli.Commands.Live;

/// <summary>Shows training, and has its page made as it goes on.</summary>
internal sealed class ReportingProgress(ITrainObserver progress, LiveReport report) : ITrainObserver
{
    public void Note(string line) => progress.Note(line);

    public void Stepped(in StepReport stepped)
    {
        progress.Stepped(stepped);
        report.Tick();
    }

    public void Evaluated(long step, Evaluation evaluation, Evaluation? full) => progress.Evaluated(step, evaluation, full);

    public void Sampled(long step, string text) => progress.Sampled(step, text);

    public void Saved(long step, string path) => progress.Saved(step, path);
}
