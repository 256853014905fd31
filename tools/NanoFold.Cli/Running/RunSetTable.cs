using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Experiments;

namespace NanoFold.Cli.Running;

/// <summary>A set of runs in lines for people: a table of the runs that matter now, and what is left of all.</summary>
internal static class RunSetTable
{
    private const int LeastName = 12, LeastRuns = 3, OtherLines = 4;

    /// <summary>The table for a terminal, its lines no longer and no more than that has.</summary>
    public static IReadOnlyList<string> Lines(RunSetStatus status, int width, int height)
    {
        int most = Math.Max(LeastRuns, height - OtherLines);
        RunStatus[] shown = [.. status.Runs.Where(run => run.State is not RunState.OtherShard).Select((run, i) => (run, i)).OrderBy(pair => Rank(pair.run)).ThenBy(pair => pair.run.State == RunState.Over ? -pair.i : pair.i).Take(most).OrderBy(pair => pair.i).Select(pair => pair.run)];
        string[][] rows = [["run", "step", "loss", "validation", "tokens/s", "left"], .. shown.Select(Row)];
        int[] widths = [.. Enumerable.Range(1, rows[0].Length - 1).Select(c => rows.Max(row => row[c].Length))];
        int name = Math.Max(LeastName, Math.Min(rows.Max(row => row[0].Length), width - widths.Sum(w => w + 2) - 1));
        return [.. rows.Select(row => Cut(row[0], name).PadRight(name) + string.Concat(row.Skip(1).Select((cell, c) => $"  {cell.PadLeft(widths[c])}"))), Cut(Summary(status), Math.Max(LeastName, width - 1))];
    }

    /// <summary>How many runs are over already, in words after their number; a comma for none.</summary>
    public static string Over(int runs) => runs == 0 ? "," : $", of which {Display.Count(runs)} {(runs == 1 ? "is" : "are")} over; left are";

    /// <summary>How far all of it is, in a line.</summary>
    public static string Summary(RunSetStatus status)
    {
        (RunState State, string Word)[] words =
        [
            (RunState.Running, "running"), (RunState.Stopped, "stopped"), (RunState.Failed, "failed"), (RunState.Elsewhere, "in another process"), (RunState.OtherShard, "of other shards"),
        ];
        IEnumerable<string> parts = words.Select(word => (word.Word, Count: status.Count(word.State))).Where(part => part.Count > 0).Select(part => $"{Display.Count(part.Count)} {part.Word}");
        string left = status.SecondsLeft is > 0 and double seconds ? $"; about {Display.Clock(seconds)} left" : "";
        return string.Join(", ", parts.Prepend($"{Display.Count(status.Count(RunState.Over))} of {Display.Count(status.Total, "run")} done")) + left;
    }

    /// <summary>A run that ended, in a line.</summary>
    public static string Ended(RunStatus run)
    {
        string name = run.Run.Name;
        if (run is not { State: RunState.Over, Result: { IsDone: true } result })
        {
            string word = run.State switch
            {
                RunState.Over => "diverged",
                RunState.Stopped => $"stopped after {Display.Count(run.Step, "step")}, saved",
                RunState.Elsewhere => "skipped",
                _ => "failed",
            };
            return run.Note is { } note && run.State is not RunState.Stopped ? $"{name}: {word}: {note}" : $"{name}: {word}";
        }

        string accuracy = result.Score(Engine.Tasks.Evaluation.Accuracy) is { } share ? $", accuracy {Figure(share)}" : "";
        string loss = result.Score("loss") is { } validation ? $"validation {Figure(validation)}{accuracy}" : $"loss {Figure(result.Figure("trainLoss") ?? double.NaN)}";
        return $"{name}: {loss} after {Display.Count(result.Steps, "step")}, {Display.Clock(result.Figure("seconds") ?? 0)}, {Display.Count((long)(result.Figure("tokensPerSecond") ?? 0))} tokens/s";
    }

    // What goes on is shown first, then what went wrong, then what is done, the last first, then what is to come.
    private static int Rank(RunStatus run) => run.State switch
    {
        RunState.Running => 0,
        RunState.Failed => 1,
        RunState.Elsewhere or RunState.Stopped => 2,
        RunState.Over => 3,
        _ => 4,
    };

    private static string[] Row(RunStatus run)
    {
        string step = run.Step == 0 ? "" : run.Steps is { } steps ? $"{Display.Count(run.Step)}/{Display.Count(steps)}" : Display.Count(run.Step);
        string left = run.State switch
        {
            RunState.Running => run.SecondsLeft is { } seconds ? Display.Clock(seconds) : "begins",
            RunState.Over when run.Result is { IsDone: false } => "diverged",
            RunState.Over => "done",
            RunState.Waiting => "",
            RunState.Elsewhere => "elsewhere",
            _ => run.State.ToString().ToLowerInvariant(),
        };
        return [run.Run.Name, step, Figure(run.TrainLoss), Figure(run.ValidationLoss), run.State == RunState.Running && run.TokensPerSecond > 0 ? Display.Count((long)run.TokensPerSecond) : "", left];
    }

    private static string Figure(double value) => double.IsFinite(value) ? value.ToString("0.0000", CultureInfo.InvariantCulture) : "";

    private static string Cut(string text, int length) => text.Length <= length ? text : $"{text[..(length - 1)]}…";
}
