using System.Diagnostics;
using System.Text.Json;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Profiling;

/// <summary>
/// A step in Chrome's trace event format (opens in ui.perfetto.dev and chrome://tracing): a row for the thread that drives it, with ops, kernels
/// and its own work nested, and one for every worker thread. Times are in microseconds from the beginning of the step.
/// </summary>
internal static class ChromeTrace
{
    private const int Process = 1;

    public static void Write(Stream stream, StepRecording step, Roofline peak)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("displayTimeUnit"u8, "ms");
        json.WriteStartArray("traceEvents"u8);
        for (int thread = 0; thread < Math.Max(1, step.Work.Length); thread++)
        {
            WriteThread(json, thread, thread == 0 ? "main" : $"worker {thread}");
        }

        KernelCost[] costs = step.Costs();
        for (int i = 0; i < costs.Length; i++)
        {
            ProfileEvent noted = step.Events[i];
            Begin(json, NameOf(step, noted), CategoryOf(noted.Kind), 0, step.Started, noted.Started, noted.Ended);
            if (noted.Kind != EventKind.Step)
            {
                json.WriteString("phase"u8, EventLabel.PhaseOf(step, noted).ToString().ToLowerInvariant());
            }

            double seconds = StepRecording.SecondsOf(noted);
            json.WriteFigure("flops"u8, costs[i].Flops);
            json.WriteFigure("bytes"u8, costs[i].Bytes);
            if (seconds > 0)
            {
                json.WriteFigure("gflops"u8, Math.Round(costs[i].Flops / seconds / 1e9, 3));
                json.WriteFigure("gbps"u8, Math.Round(costs[i].Bytes / seconds / 1e9, 3));
                json.WriteFigure("rooflineShare"u8, Math.Round(peak.LeastSeconds(costs[i].Flops, costs[i].Bytes) / seconds, 3));
            }

            End(json);
        }

        for (int worker = 0; worker < step.Work.Length; worker++)
        {
            foreach (WorkEvent run in step.Work[worker])
            {
                Begin(json, KernelName.Of(run.Work), "work", worker, step.Started, run.Started, run.Ended);
                json.WriteFigure("items"u8, run.Items);
                End(json);
            }
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteThread(Utf8JsonWriter json, int thread, string name)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, "thread_name");
        json.WriteString("ph"u8, "M");
        json.WriteFigure("pid"u8, Process);
        json.WriteFigure("tid"u8, thread);
        json.WriteStartObject("args"u8);
        json.WriteString("name"u8, name);
        End(json);
    }

    private static void Begin(Utf8JsonWriter json, string name, string category, int thread, long origin, long started, long ended)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, name);
        json.WriteString("cat"u8, category);
        json.WriteString("ph"u8, "X");
        json.WriteNumber("ts"u8, Microseconds(started - origin));
        json.WriteNumber("dur"u8, Microseconds(ended - started));
        json.WriteFigure("pid"u8, Process);
        json.WriteFigure("tid"u8, thread);
        json.WriteStartObject("args"u8);
    }

    private static void End(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        json.WriteEndObject();
    }

    // A decimal keeps nanoseconds exact, so that neighbors do not seem to overlap.
    private static decimal Microseconds(long ticks) => (decimal)ticks * 1_000_000 / Stopwatch.Frequency;

    private static string NameOf(StepRecording step, in ProfileEvent noted) => noted.Kind switch
    {
        EventKind.Step => "step",
        EventKind.Kernel => EventLabel.Kernel(noted),
        _ => EventLabel.Op(step.Tape, noted.Source, OpGrouping.Node),
    };

    private static string CategoryOf(EventKind kind) => kind.ToString().ToLowerInvariant();
}
