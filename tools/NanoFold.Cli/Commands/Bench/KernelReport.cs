using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Cli.Commands.Bench;

/// <summary>What <c>bench kernel</c> found, a line for each pass of each case.</summary>
/// <param name="own">Where it is taken, and sessions of this build that came before.</param>
internal sealed class KernelReport(KernelBaseline own)
{
    private const string Forward = "forward";
    private const string Backward = "backward";

    private readonly List<KernelSamples> _samples = [];
    private readonly List<string[]> _rows = [];
    private readonly JsonArray _cases = [];
    private bool _isTimed;
    private bool _isCompared;
    private int _sessions;

    /// <summary>Cases that were checked and are not timed.</summary>
    public void AddChecks(OpCase[] cases, KernelCheck[] checks)
    {
        foreach ((OpCase opCase, KernelCheck check) in cases.Zip(checks))
        {
            AddCheck(opCase.Name, Forward, check);
            if (check.GradientError is not null)
            {
                AddCheck(opCase.Name, Backward, check);
            }
        }
    }

    /// <summary>A case that was timed.</summary>
    public void Add(OpRunner runner, KernelTiming timing, KernelCheck check, KernelRoof roof, KernelBaseline? then)
    {
        _isTimed = true;
        _isCompared |= then is not null;
        (KernelCost forward, KernelCost backward) = OpRunner.CostOf(runner.Case, runner.Backend);
        Add(new KernelSamples(runner.Case.Name, Forward, timing.ForwardMs, timing.YardstickMs), forward, check, roof, then);
        if (timing.BackwardMs.Length > 0)
        {
            Add(new KernelSamples(runner.Case.Name, Backward, timing.BackwardMs, timing.YardstickMs), backward, check, roof, then);
        }
    }

    /// <summary>Writes all timings to a file, if one is named.</summary>
    public void Save(string? path)
    {
        if (path is not null)
        {
            (own with { Cases = [.. own.Cases, .. _samples] }).Write(path);
        }
    }

    public void Write(Output output)
    {
        string[] timed = _isTimed ? ["ms", "95 %", "GFLOP/s", "GB/s", "of roof"] : [];
        output.Table(numbers: true, [["case", "pass", .. timed, "error", "tolerance", .. _isCompared ? ["ratio", "95 %", "machine", "verdict"] : (string[])[]], .. _rows]);
        output.Line(own.Machine);
        if (_isCompared)
        {
            output.Line(_sessions >= KernelComparison.FewestSessions
                ? $"ratio: time now / time then, over {_sessions} sessions of each build in turn; machine: that of fixed work in between"
                : $"ratio: time now / time then, of {Display.Count(_sessions, "session")} each, the interval as wide as sessions differ by themselves; machine: that of fixed work in between. For a narrower one run the two builds in turn, {KernelComparison.FewestSessions} times or more, each with a --save file of its own");
        }

        output.Result(new JsonObject { ["cases"] = _cases, ["isa"] = own.Isa, ["threads"] = own.Threads, ["processor"] = own.Processor });
    }

    private static (double Error, double Tolerance) Of(KernelCheck check, string phase) =>
        phase == Forward ? (check.Error, check.Tolerance) : (check.GradientError ?? 0, check.GradientTolerance);

    private static string Range(double low, double high, string format) => $"{Display.Number(low, format)}–{Display.Number(high, format)}";

    private void AddCheck(string name, string phase, KernelCheck check)
    {
        (double error, double tolerance) = Of(check, phase);
        _rows.Add([name, phase, $"{error:0.0e+0}", $"{tolerance:0.0e+0}"]);
        _cases.Add((JsonNode)Checked(name, phase, check));
    }

    private void Add(KernelSamples samples, KernelCost cost, KernelCheck check, KernelRoof roof, KernelBaseline? then)
    {
        double ms = SampleStatistics.Median(samples.SamplesMs), perSecond = 1000 / ms;
        (double low, double high) = SampleStatistics.MedianInterval(samples.SamplesMs);
        double share = roof.Seconds(cost.Flops, (long)cost.Bytes) * perSecond;
        samples = samples with { Session = own.NextSession };
        KernelComparison? comparison = then?.Find(samples.Name, samples.Phase) is { Count: > 0 } before
            ? KernelComparison.Of([.. own.Find(samples.Name, samples.Phase), samples], before)
            : null;
        _sessions = Math.Max(_sessions, comparison?.Sessions ?? 0);
        (double error, double tolerance) = Of(check, samples.Phase);
        _samples.Add(samples);
        _rows.Add(
        [
            samples.Name, samples.Phase, Display.Number(ms, "0.0000"), Range(low, high, "0.0000"), Display.Number(cost.Flops * perSecond / 1e9, "0.0"),
            Display.Number(cost.Bytes * perSecond / 1e9, "0.0"), Display.Number(100 * share, "0") + " %", $"{error:0.0e+0}", $"{tolerance:0.0e+0}",
            .. comparison is { } c ? [Display.Number(c.Ratio, "0.000"), Range(c.Low, c.High, "0.000"), Display.Number(c.Machine, "0.000"), c.Verdict] : then is null ? (string[])[] : ["–", "", "", "not in the file"],
        ]);

        JsonObject line = Checked(samples.Name, samples.Phase, check);
        line["ms"] = ms;
        line["low"] = low;
        line["high"] = high;
        line["gflops"] = cost.Flops * perSecond / 1e9;
        line["gbps"] = cost.Bytes * perSecond / 1e9;
        line["rooflineShare"] = share;
        line["against"] = comparison is { } against
            ? new JsonObject { ["ratio"] = against.Ratio, ["low"] = against.Low, ["high"] = against.High, ["machine"] = against.Machine, ["sessions"] = against.Sessions, ["verdict"] = against.Verdict }
            : null;
        _cases.Add((JsonNode)line);
    }

    private static JsonObject Checked(string name, string phase, KernelCheck check)
    {
        (double error, double tolerance) = Of(check, phase);
        return new JsonObject
        {
            ["name"] = name,
            ["phase"] = phase,
            ["reference"] = phase == Forward ? check.Reference : KernelCheck.Float64,
            ["error"] = error,
            ["tolerance"] = tolerance,
        };
    }
}
