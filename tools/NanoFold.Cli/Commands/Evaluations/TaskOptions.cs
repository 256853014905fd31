using System.CommandLine;
using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli.Commands.Evaluations;

/// <summary>What a trained model is set before, where that is not what it was trained on.</summary>
internal sealed class TaskOptions
{
    private readonly Option<string?> _task;
    private readonly Option<string[]> _set = new("--set") { HelpName = "KEY=VALUE", Description = "A setting of the task that is evaluated, such as task.pairs=8; may be given several times" };
    private readonly Option<string?> _context;

    public TaskOptions(VerbCommand command)
    {
        _task = command.Text("--task", "NAME", "Another task than the one that the run was trained on");
        command.Add(_set);
        _context = command.Text("--context", "N", "Places of a row; as many as in training if not given");
    }

    /// <summary>The model before what was asked for; itself where nothing was.</summary>
    /// <exception cref="UserException">It cannot do that.</exception>
    public TrainedModel Before(Invocation invocation, TrainedModel trained)
    {
        string[] settings = [.. invocation.Get(_task) is { } task ? [$"task={task}"] : Array.Empty<string>(), .. invocation.Get(_set) ?? []];
        int? context = null;
        if (invocation.Get(_context) is { } text)
        {
            context = int.TryParse(text, CultureInfo.InvariantCulture, out int places) && places is > 0 and <= 1 << 20
                ? places
                : throw UserException.Usage($"--context {text}: expected a number of places, at least 1");
        }

        return settings.Length == 0 && context is null ? trained : trained.Before(settings, context);
    }
}
