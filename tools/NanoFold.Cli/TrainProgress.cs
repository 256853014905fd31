using NanoFold.Cli.Writing;
using NanoFold.Engine;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using Spectre.Console;

namespace NanoFold.Cli;

/// <summary>How training looks: a bar that moves in a terminal, a line now and then elsewhere.</summary>
internal sealed class TrainProgress : ITrainObserver
{
    private const int LinesPerRun = 20;

    private readonly Output _output;
    private readonly IAnsiConsole _console;
    private readonly bool _isTerminal;
    private ProgressTask? _task;
    private TrainText _text = new(LossUnit.NatsPerToken, 0, 0);
    private long _lastLine;

    public TrainProgress(Output output)
    {
        _output = output;
        _isTerminal = output.IsTerminal;
        _console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output.Text) });
    }

    public void Note(string line)
    {
        if (_task is null)
        {
            _output.Note(line);
        }
        else
        {
            Line($"{Program.Name}: {line}");
        }
    }

    /// <summary>A signal asks for the end: says that it was heard, for a step may take long.</summary>
    public void Asked(string signal)
    {
        string heard = $"{signal}: ending after this step with a checkpoint; once more ends at once";
        if (_task is null)
        {
            _output.Note(heard);
        }
        else
        {
            _task.Description = heard;
        }
    }

    /// <summary>Says what will be trained, on what, where.</summary>
    public void Describe(TrainSession session, Backend backend)
    {
        ModelConfig model = session.Config.Model;
        // By the convention the head meets every token; where a task asks at a few of them, that would be far from what is done.
        double flopsPerToken = session.Config.Task.IsText ? session.FlopsPerToken : 0, peak = MatMulPeak.Measure(backend, session.Config.Train.Precision.Arithmetic(backend));
        _text = new TrainText(session.Task.Unit, flopsPerToken, peak);
        string tokens = session.Task.Tokenizer is { } tokenizer ? $"{tokenizer.Name} tokenizer of {Display.Count(tokenizer.Vocab)}" : $"task {session.Config.Task.Kind}";
        Line($"{session.Config.Preset}: {TrainText.Parameters(session.Model.Store)}, {Display.Count(model.Layers, "layer")}, width {Display.Count(model.Width)}, context {Display.Count(model.Context)}, {tokens}");
        string[] lines = [.. session.Task.Describe().DefaultIfEmpty(session.Task.Name)];
        Line($"{lines[0]}; {TrainText.Plan(session)} of {Display.Count((long)session.Config.Train.Batch * session.Config.Train.Accumulate)} × {Display.Count(model.Context)} tokens");
        foreach (string line in lines.Skip(1))
        {
            Line(line);
        }

        Line($"{backend.Name}: {Display.Short(peak, "FLOP")}/s in matrix products; run folder {session.RunPath}");
        if (session.State.Step > 0)
        {
            Line($"going on after step {Display.Count(session.State.Step)}");
        }
    }

    /// <summary>Runs training under the bar, where there is a terminal.</summary>
    public TrainSummary Show(Func<TrainSummary> train) => !_isTerminal
        ? train()
        : _console.Progress()
            .AutoClear(true)
            .Columns(new ProgressBarColumn { Width = 24 }, new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                _task = context.AddTask("compiling kernels …", maxValue: 1);
                return train();
            });

    public void Stepped(in StepReport report)
    {
        string steps = report.Steps is { } planned ? $"{Display.Count(report.Step)}/{Display.Count(planned)}" : Display.Count(report.Step);
        if (_task is not null)
        {
            _task.MaxValue = report.Steps ?? double.MaxValue;
            _task.Value = report.Step;
            _task.Description = $"{steps}  {TrainText.Loss(report.Result)}  {_text.Rates(report)}";
        }
        else if (report.Step == 1 || IsLineDue(report) || report.Step == report.Steps)
        {
            _lastLine = report.Step;
            Line($"step {steps}  {TrainText.Loss(report.Result)}  {_text.Rates(report)}");
        }
    }

    public void Evaluated(long step, Evaluation evaluation, Evaluation? full) => Line($"step {Display.Count(step)}  {_text.Validation(evaluation, full)}");

    public void Sampled(long step, string text) => Line($"step {Display.Count(step)}  sample: {text.ReplaceLineEndings(" ⏎ ")}");

    public void Saved(long step, string path)
    {
    }

    /// <summary>The table by layer, and what can be done next.</summary>
    public void Conclude(TrainSession session, TrainSummary summary)
    {
        if (session.Geometry is { Latest.Count: > 0 } geometry)
        {
            GeometryTable.Write(_output, geometry, summary.Steps);
            GeometryTable.WriteCosts(_output, geometry.Costs, summary.Seconds);
        }

        if (TrainText.Experts(session) is { } experts)
        {
            Line(experts);
        }

        Line($"{_text.Losses(summary)} after {Display.Count(summary.Steps, "step")}, {Display.Clock(summary.Seconds)}, {Display.Count((long)Math.Round(summary.TokensPerSecond))} tokens/s");
        // Of other tasks than text the last line says the same.
        if (summary is { End: TrainEnd.Finished, Validation: not null, FullValidation: null } && session is { RunPath: not null, Task.Tokenizer: not null })
        {
            Line($"on all of the validation text:  {Program.Typed} eval --model {Shell.Argument(session.RunPath)}");
        }

        if (summary.End == TrainEnd.Reached)
        {
            Line($"{session.Config.Train.Goal} is reached after step {Display.Count(summary.Steps)}, so the run is over");
        }

        string folder = Shell.Argument(session.RunPath!);
        if (summary.Steps < session.Trainer.Schedule.Steps && summary.End != TrainEnd.Reached)
        {
            Line($"go on with:  {Program.Typed} train --resume {folder}");
        }
        else if (session.Config.Task is ConversationTaskConfig)
        {
            Line($"talk with:  {Program.Typed} chat --model {folder}");
        }
        else if (session.Task.Tokenizer is not null)
        {
            Line($"write with:  {Program.Typed} generate --model {folder}");
        }
        else if (session.Evaluator is not null)
        {
            Line($"score with:  {Program.Typed} eval --model {folder}");
        }
    }

    // A plan may change on the way; until there is one, lines get further apart.
    private bool IsLineDue(in StepReport report)
    {
        long apart = report.Steps is { } steps ? Math.Max(1, steps / LinesPerRun) : Math.Max(1, _lastLine);
        return report.Step >= (_lastLine / apart + 1) * apart;
    }

    private void Line(string text)
    {
        if (_task is null)
        {
            _output.Line(text);
        }
        else
        {
            // A line at a time: what the bar left behind it is cleared in the first one only.
            foreach (string line in TextLayout.Wrap(text, Output.Columns(_output.Text)))
            {
                _console.WriteLine(line);
            }
        }
    }
}
