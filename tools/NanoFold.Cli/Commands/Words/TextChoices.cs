using System.CommandLine;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Surveys;

namespace NanoFold.Cli.Commands.Words;

/// <summary>The options that say which model is looked at, on what text or task.</summary>
internal sealed class TextChoices(VerbCommand command, int tokens)
{
    private readonly Option<string?> _model = command.Text("--model", "RUN", ModelOptions.ModelHelp);
    private readonly Option<string?> _data = command.Text("--data", "PATH", "A file, folder or pattern of text in place of the run's own");
    private readonly Option<string?> _task = command.Text("--task", "NAME", "Another task than the one that the run was trained on");
    private readonly Option<string[]> _set = command.Texts("--set", "KEY=VALUE", "A setting of the task, such as task.names=8; may be given several times");
    private readonly Option<long?> _tokens = command.Integer("--tokens", FormattableString.Invariant($"About how many tokens of it are looked at; {tokens:N0} if not given"), 2, 1 << 24);
    private readonly TextOptions _reading = new(command);

    /// <summary>The model's path.</summary>
    /// <exception cref="UserException">There is none.</exception>
    public string Model(Invocation invocation) => invocation.Get(_model) ?? throw UserException.Usage(ModelOptions.NoModel);

    /// <summary>Takes rows of the text.</summary>
    public SampleText Open(Invocation invocation, TrainedModel trained) => SampleText.Open(
        trained,
        new SurveyOptions
        {
            Measures = [],
            Data = invocation.Get(_data),
            Reading = _reading.Reading(invocation),
            TaskSettings = [.. invocation.Get(_task) is { } task ? [$"task={task}"] : Array.Empty<string>(), .. invocation.Get(_set) ?? []],
        },
        (int)(invocation.Get(_tokens) ?? tokens),
        invocation.Output.Note,
        invocation.Interrupt.Token);
}
