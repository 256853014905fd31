using System.CommandLine;
using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Cli.Commands.Evaluations;

/// <summary>What a trained model is set before, where that is not what it was trained on.</summary>
internal sealed class TaskOptions
{
    private static readonly string s_conversations = new ConversationsConfig().Kind;

    private readonly Option<string?> _task;
    private readonly Option<string[]> _set = new("--set") { HelpName = "KEY=VALUE", Description = "A setting of the task that is evaluated, such as task.pairs=8; may be given several times" };
    private readonly Option<string?> _context;

    public TaskOptions(VerbCommand command)
    {
        _task = command.Text("--task", "NAME", "Another task than the one that the run was trained on; of a model of text conversations, those of --data");
        command.Add(_set);
        _context = command.Text("--context", "N", "Places of a row; as many as in training if not given");
    }

    /// <summary>Whether <c>--data</c> is of the task that was asked for, and not a text.</summary>
    public bool ReadsData(Invocation invocation) => invocation.Get(_task) == s_conversations;

    /// <summary>The model before what was asked for; itself where nothing was.</summary>
    /// <param name="invocation">What was asked for.</param>
    /// <param name="trained">The model.</param>
    /// <param name="data">What <c>--data</c> named, or null.</param>
    /// <exception cref="UserException">It cannot do that.</exception>
    public TrainedModel Before(Invocation invocation, TrainedModel trained, string? data)
    {
        string[] settings = [.. invocation.Get(_task) is { } task ? [$"task={task}"] : Array.Empty<string>(), .. invocation.Get(_set) ?? []];
        int? context = null;
        if (invocation.Get(_context) is { } text)
        {
            context = int.TryParse(text, CultureInfo.InvariantCulture, out int places) && places is > 0 and <= 1 << 20
                ? places
                : throw UserException.Usage($"--context {text}: expected a number of places, at least 1");
        }

        return settings.Length == 0 && context is null ? trained : trained.Before(settings, context, ReadsData(invocation) ? data : null);
    }
}
