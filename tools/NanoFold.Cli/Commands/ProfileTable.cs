using NanoFold.Engine;
using NanoFold.Engine.Profiling;
using NanoFold.Engine.Training;

namespace NanoFold.Cli.Commands;

/// <summary>A profile for people: ops, then kernels, by phase; and what to make of it.</summary>
internal sealed class ProfileTable(Output output, ProfileReport report)
{
    private const int NameWidth = 32;

    // Smaller ones of a phase share a line.
    private const double LeastShare = 0.004;

    public void Write()
    {
        Roofline peak = report.Peak;
        output.Line($"this machine reaches {Figure(peak.FlopsPerSecond / 1e9)} GFLOP/s and {Figure(peak.BytesPerSecond / 1e9)} GB/s from memory; below {Figure(peak.Ridge)} FLOP/byte memory limits");
        output.Line();
        Table("op", report.Ops, "in no op");
        output.Line();
        Table("kernel", report.Kernels, "in no kernel");
        output.Line();
        if (report.Runs.Count > 0)
        {
            Runs();
            output.Line();
        }

        Conclude();
    }

    // What threads did together, by what they waited for.
    private void Runs()
    {
        double least = LeastShare * report.StepSeconds;
        output.Table(numbers: true,
        [
            ["run on several threads", "runs", "items", "ms", "threads idle", "took part", "µs to 2nd"],
            .. report.Runs.Where(row => row.Seconds >= least).Select(row => (string[])
            [
                row.Name.Length <= NameWidth ? row.Name : $"{row.Name[..(NameWidth - 1)]}…", Display.Number(row.Runs, "0"), Display.Number(row.Items, "0"), Time(row.Seconds), $"{Percent(row.IdleShare)} %", Display.Number(row.Threads, "0.0"),
                ToSecond(row),
            ]),
        ]);
    }

    /// <summary>How long it took until a second thread was there, in microseconds; nothing where none came.</summary>
    public static string ToSecond(RunRow row) => row.SecondsToSecond > 0 ? Display.Number(1e6 * row.SecondsToSecond, "0.0") : "–";

    private void Table(string title, IReadOnlyList<ProfileRow> rows, string rest)
    {
        var lines = new List<string[]> { new[] { title, "calls", "ms", "%", "FLOP", "bytes", "GFLOP/s", "GB/s", "of roofline" } };
        foreach (IGrouping<StepPhase, ProfileRow> phase in rows.GroupBy(row => row.Phase))
        {
            lines.Add(Line("", ProfileRow.Total(phase.Key.ToString().ToLowerInvariant(), phase.Key, phase)));
            ProfileRow[] small = report.Grouping == OpGrouping.Node ? [] : [.. phase.Where(row => row.Share < LeastShare)];
            small = small.Length > 1 ? small : [];
            lines.AddRange(phase.Except(small).Select(row => Line("  ", row)));
            if (small.Length > 0 && small.Length < phase.Count())
            {
                lines.Add(Line("  ", ProfileRow.Total($"{small.Length} smaller ones", phase.Key, small)));
            }
        }

        double outside = report.StepSeconds - rows.Sum(row => row.Seconds);
        lines.Add([rest, "", Time(outside), Percent(outside / report.StepSeconds)]);
        lines.Add(Line("", report.Step with { Calls = rows.Sum(row => row.Calls) }));
        output.Table(numbers: true, lines);
    }

    private string[] Line(string indent, ProfileRow row)
    {
        string name = indent + row.Name;
        return
        [
            name.Length <= NameWidth ? name : $"{name[..(NameWidth - 1)]}…",
            Display.Count((long)Math.Round(row.Calls)),
            Time(row.Seconds),
            Percent(row.Share),
            row.Flops > 0 ? Display.Short(row.Flops) : "–",
            row.Bytes > 0 ? Display.Short(row.Bytes) : "–",
            row.Flops > 0 ? Figure(row.FlopsPerSecond / 1e9) : "–",
            row.Bytes > 0 ? Figure(row.BytesPerSecond / 1e9) : "–",
            row.Bytes > 0 ? $"{(IsComputeBound(row) ? "compute" : "memory")} {report.Peak.ShareOf(row) * 100:0}%".PadLeft(11) : "–",
        ];
    }

    private void Conclude()
    {
        ProfileRow step = report.Step;
        (double low, double high) = report.OverheadQuartiles;
        output.Line($"step {Time(step.Seconds)} ms, {Percent(report.SecondsOutside / step.Seconds)} % of it in no op; executed {Figure(step.FlopsPerSecond / 1e9)} GFLOP/s, {Percent(step.FlopsPerSecond / report.Peak.FlopsPerSecond)} % of peak");
        output.Line($"{Display.Count((long)report.TokensPerSecond)} tokens/s without profiling, which adds {Percent(report.Overhead)} % (median of {Display.Count(report.Steps, "pair")}, quartiles {Percent(low)} and {Percent(high)})");
        ProfileRow[] above = [.. report.Ops.Concat(report.Kernels).Where(row => row.Share >= LeastShare && report.Peak.ShareOf(row) > 1)];
        if (above.Any(row => !IsComputeBound(row)))
        {
            output.Line("memory over 100 %: the data was still in a cache, which is faster than memory");
        }

        if (above.Any(IsComputeBound))
        {
            output.Line("compute over 100 %: the machine was busy when its peak was measured; --remeasure does it again");
        }

        output.Line("largest:");
        IEnumerable<string> largest = report.Ops.OrderByDescending(row => row.Seconds).Take(3)
            .Select(row => $"{row.Name}, {row.Phase.ToString().ToLowerInvariant()}: {row.Share * 100:0} % of the step, bound by {(IsComputeBound(row) ? "computing" : "memory")}, at {report.Peak.ShareOf(row) * 100:0} % of the roofline");
        foreach (string line in largest)
        {
            output.Line($"  {line}");
        }
    }

    private bool IsComputeBound(ProfileRow row) => report.Peak.IsComputeBound(row.Flops, row.Bytes);

    private static string Time(double seconds) => Display.Number(seconds * 1e3, "0.00");

    private static string Percent(double share) => Display.Number(share * 100, "0.0");

    private static string Figure(double value) => Display.Number(value, value < 10 ? "0.00" : value < 100 ? "0.0" : "0");
}
