using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoFold.Cli.Commands.Bench.OnGpu;

/// <summary>What came of a stage.</summary>
/// <param name="Stage">Which.</param>
/// <param name="Seconds">That it took.</param>
/// <param name="Outcome"><c>done</c>, or why there may be no result.</param>
/// <param name="Result">The last line of its standard output, where that is JSON.</param>
internal sealed record GpuStageRun(GpuStage Stage, double Seconds, string Outcome, JsonObject? Result)
{
    public const string Done = "done";

    /// <summary>Runs a stage as a process, and keeps what it says in <c>NAME.log</c> of a folder.</summary>
    /// <param name="stage">What to run.</param>
    /// <param name="folder">Where its output goes.</param>
    /// <param name="limit">After which it is ended.</param>
    /// <param name="cancellation">Ends it.</param>
    public static GpuStageRun Of(GpuStage stage, string folder, TimeSpan limit, CancellationToken cancellation)
    {
        (string file, string[] own) = OwnProgram.Start();
        string[] again = [.. own, .. stage.Verb, .. stage.Tool is null ? stage.Words : stage.Around, "--json"];
        ProcessStartInfo start = stage.Tool is { } tool
            ? new ProcessStartInfo(tool, [.. stage.Words, .. stage.Around.Length == 0 ? [] : new[] { file }.Concat(again)])
            : new ProcessStartInfo(file, again);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        foreach ((string name, string value) in stage.Set)
        {
            start.Environment[name] = value;
        }

        long started = Stopwatch.GetTimestamp();
        var text = new StringBuilder();
        string? last = null;
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, e) => Take(e.Data, isResult: true);
        process.ErrorDataReceived += (_, e) => Take(e.Data, isResult: false);
        void Take(string? line, bool isResult)
        {
            lock (text)
            {
                last = isResult && line is { Length: > 0 } ? line : last;
                text.Append(line).Append('\n');
            }
        }

        string outcome;
        try
        {
            process.Start();
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            outcome = Wait(process, limit, cancellation);
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            outcome = $"not run: {stage.Tool} is not here";
        }

        lock (text)
        {
            File.WriteAllText(Path.Combine(folder, $"{stage.Name}.log"), text.ToString());
            return new GpuStageRun(stage, Stopwatch.GetElapsedTime(started).TotalSeconds, outcome, Read(last));
        }
    }

    private static string Wait(Process process, TimeSpan limit, CancellationToken cancellation)
    {
        using CancellationTokenRegistration kill = cancellation.Register(() => Kill(process));
        if (!process.WaitForExit(limit))
        {
            Kill(process);
            process.WaitForExit();
            return $"ended after {limit.TotalSeconds:0} s";
        }

        // Once more: what it wrote has been read after this.
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        return process.ExitCode == 0 ? Done : $"failed ({process.ExitCode})";
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }

    private static JsonObject? Read(string? line)
    {
        try
        {
            return line is null ? null : JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
