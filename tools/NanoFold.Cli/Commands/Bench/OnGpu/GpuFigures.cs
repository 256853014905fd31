using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Profiling;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Cli.Commands.Bench.OnGpu;

/// <summary>The parts of <c>bench gpu</c>: each measures, prints its table, and adds itself to the result.</summary>
internal sealed class GpuFigures(Backend backend, Output output, JsonObject json, GpuPeer? peer, GpuShapes shapes)
{
    private static readonly TimeSpan s_programs = TimeSpan.FromSeconds(30);

    /// <summary>What the driver makes of the programs written as PTX; whether it takes them all.</summary>
    public bool Programs(string[] only, bool isDry)
    {
        IReadOnlyList<GpuProgramFigure> programs = Gpus.Programs(backend, only, s_programs, isDry);
        List<string[]> rows = [["program", "registers", "local bytes", "said"]];
        rows.AddRange(programs.Where(p => p.Fault is not null || p.Warnings.Length > 0 || p.LocalBytes > 0)
            .Select(p => (string[])[p.Name, Display.Count(p.Registers), Display.Count(p.LocalBytes), p.Fault ?? p.Warnings]));
        Add("programs", rows, new JsonArray([.. programs.Select(p => (JsonNode)new JsonObject
        {
            ["name"] = p.Name, ["registers"] = p.Registers, ["localBytes"] = p.LocalBytes, ["warnings"] = p.Warnings, ["fault"] = p.Fault,
        })]));
        output.Line($"{Display.Count(programs.Count, "program")}, {Display.Count(programs.Count(p => p.Fault is not null))} refused");
        return programs.All(p => p.Fault is null);
    }

    /// <summary>Whether every instruction and product does as it is written.</summary>
    public bool Checks(string[] only, string? dump, bool isDry)
    {
        var result = new JsonArray();
        List<string[]> rows = [["check", "holds", ""]];
        int held = 0;
        Gpus.Check(backend, only, isDry, (name, difference, expected, got) =>
        {
            held += difference is null ? 1 : 0;
            bool? holds = isDry ? null : difference is null;
            result.Add(new JsonObject { ["name"] = name, ["holds"] = holds, ["detail"] = difference });
            rows.Add([name, holds is { } known ? known ? "yes" : "no" : "–", difference ?? ""]);
            if (difference is not null && dump is not null && got.Length > 0)
            {
                Directory.CreateDirectory(dump);
                File.WriteAllBytes(Path.Combine(dump, $"{name}.expected"), expected);
                File.WriteAllBytes(Path.Combine(dump, $"{name}.got"), got);
            }
        });
        Add("checks", rows, result);
        output.Line(isDry ? $"{Display.Count(result.Count, "check")}, {Gpus.NotRun}" : $"{Display.Count(held)} of {Display.Count(result.Count, "check")} hold");
        return isDry || held == result.Count;
    }

    public void Tune(IReadOnlyList<GemmCase> cases, TimeSpan limit)
    {
        long started = Stopwatch.GetTimestamp();
        IReadOnlyList<(GemmCase Shape, GpuProducts Kind)> products = [.. GpuProducts.All.Reverse().SelectMany(kind => cases.Select(c => (c, kind)))];
        IReadOnlyList<GpuTuning> tuned = Gpus.Tune(backend, products, limit);
        GpuTuning[] changed = [.. tuned.Where(t => t.Before != t.After)];
        List<string[]> rows = [["tuned", "m", "n", "k", "in", "before", "now", "µs", "of before"]];
        rows.AddRange(changed.Select(t => (string[])
        [
            t.Shape.Name, Display.Count(t.Shape.M), Display.Count(t.Shape.N), Display.Count(t.Shape.K), t.Kind.Name, t.Before, t.After,
            Display.Number(1e6 * t.SecondsAfter, "0.0"), Display.Number(t.SecondsBefore / t.SecondsAfter, "0.00"),
        ]));
        Add("tune", rows, new JsonArray([.. tuned.Select(t => (JsonNode)new JsonObject
        {
            ["name"] = t.Shape.Name, ["m"] = t.Shape.M, ["n"] = t.Shape.N, ["k"] = t.Shape.K, ["transA"] = t.Shape.TransposeA, ["transB"] = t.Shape.TransposeB,
            ["precision"] = t.Kind.Name, ["before"] = t.Before, ["after"] = t.After, ["secondsBefore"] = t.SecondsBefore, ["secondsAfter"] = t.SecondsAfter,
        })]));
        double gain = tuned.Count == 0 ? 1 : Math.Exp(tuned.Average(t => Math.Log(t.SecondsBefore / t.SecondsAfter)));
        output.Line(
            $"measured kernels of {tuned.Count} products in {Display.Number(Stopwatch.GetElapsedTime(started).TotalSeconds, "0.0")} s: {changed.Length} are done by another one now, "
            + $"all of them {Display.Number(gain, "0.00")} times as fast on average");
    }

    public void Products(IReadOnlyList<GemmCase> cases)
    {
        JsonArray? theirs = peer?.Ask("gemm")?["cases"]?.AsArray();
        List<string[]> rows = [["product", "m", "n", "k", "fp32", "tf32", "bf16", "TFLOP/s; of cuBLAS:", "fp32", "tf32", "bf16"]];
        var result = new JsonArray();
        foreach (GemmCase shape in cases)
        {
            JsonObject? other = theirs?.OfType<JsonObject>().FirstOrDefault(t => (int)t["m"]! == shape.M && (int)t["n"]! == shape.N && (int)t["k"]! == shape.K);
            var own = new JsonObject
            {
                ["name"] = shape.Name, ["m"] = shape.M, ["n"] = shape.N, ["k"] = shape.K, ["transA"] = shape.TransposeA, ["transB"] = shape.TransposeB,
            };
            var rates = new double[GpuProducts.All.Count];
            for (int i = 0; i < rates.Length; i++)
            {
                rates[i] = GemmResult.Measure(shape, backend, new Arithmetic(GpuProducts.All[i].Type, GpuProducts.All[i].Tensor ? OperandRounding.TensorFloat32 : OperandRounding.None)).FlopsPerSecond / 1e12;
                own[GpuProducts.All[i].Name] = rates[i];
            }

            own["peer"] = Only(other, [.. GpuProducts.All.Select(p => p.Name)]);
            result.Add(own);
            rows.Add(
            [
                shape.Name, Display.Count(shape.M), Display.Count(shape.N), Display.Count(shape.K), .. rates.Select(r => Display.Number(r, "0.0")), "",
                .. GpuProducts.All.Select((p, i) => Ratio(rates[i], (double?)other?[p.Name])),
            ]);
        }

        Add("products", rows, result);
    }

    public void Attention(IReadOnlyList<AttentionCase> cases)
    {
        JsonArray? theirs = peer?.Ask("attention")?["cases"]?.AsArray();
        List<string[]> rows = [["attention, bf16", "batch", "heads", "head dim", "forward ms", "both ms", "backward by one kernel: both ms", "TFLOP/s", "PyTorch: forward", "both"]];
        var result = new JsonArray();
        foreach (AttentionCase shape in cases)
        {
            AttentionResult own = AttentionResult.Measure(shape, backend, DType.BFloat16);
            AttentionResult? byOne = null;
            Gpus.WithOneBackward(backend, () => byOne = AttentionResult.Measure(shape, backend, DType.BFloat16));
            JsonObject? other = theirs?.OfType<JsonObject>().FirstOrDefault(t =>
                (int)t["context"]! == shape.Context && (int)t["heads"]! == shape.Heads && (int)t["headDim"]! == shape.HeadDim && (int)t["batch"]! == shape.Batch);
            double forward = 1e3 * own.ForwardSeconds, both = forward + (1e3 * own.BackwardSeconds);
            double? bothByOne = byOne is null ? null : 1e3 * (byOne.ForwardSeconds + byOne.BackwardSeconds);
            result.Add(new JsonObject
            {
                ["context"] = shape.Context, ["heads"] = shape.Heads, ["headDim"] = shape.HeadDim, ["batch"] = shape.Batch,
                ["forwardMs"] = forward, ["bothMs"] = both, ["bothByOneMs"] = bothByOne, ["tflops"] = own.FlopsPerSecond / 1e12, ["peer"] = Only(other, "forwardMs", "bothMs"),
            });
            rows.Add(
            [
                Display.Count(shape.Context), Display.Count(shape.Batch), Display.Count(shape.Heads), Display.Count(shape.HeadDim), Display.Number(forward, "0.000"), Display.Number(both, "0.000"), bothByOne is { } ms ? Display.Number(ms, "0.000") : "–",
                Display.Number(own.FlopsPerSecond / 1e12, "0.0"), Ratio((double?)other?["forwardMs"], forward), Ratio((double?)other?["bothMs"], both),
            ]);
        }

        Add("attention", rows, result);
    }

    /// <summary>Whether attention's gradients are the same bits each time, by two kernels and by one.</summary>
    public bool Repeats(IReadOnlyList<AttentionCase> cases, int times)
    {
        List<string[]> rows = [["attention, bf16", "batch", "heads", "head dim", "times", "other bits", "by one kernel"]];
        var result = new JsonArray();
        int all = 0;
        foreach (AttentionCase shape in cases)
        {
            int? own = AttentionResult.DifferentRepeats(shape, backend, DType.BFloat16, times);
            int? byOne = null;
            Gpus.WithOneBackward(backend, () => byOne = AttentionResult.DifferentRepeats(shape, backend, DType.BFloat16, times));
            all += (own ?? 0) + (byOne ?? 0);
            result.Add(new JsonObject { ["context"] = shape.Context, ["heads"] = shape.Heads, ["headDim"] = shape.HeadDim, ["batch"] = shape.Batch, ["times"] = times, ["different"] = own, ["differentByOne"] = byOne });
            rows.Add([Display.Count(shape.Context), Display.Count(shape.Batch), Display.Count(shape.Heads), Display.Count(shape.HeadDim), Display.Count(times), own is { } o ? Display.Count(o) : "–", byOne is { } one ? Display.Count(one) : "–"]);
        }

        Add("repeats", rows, result);
        return all == 0;
    }

    public void Steps(IReadOnlyList<RunConfig> configs, int steps)
    {
        string[] modes = ["eager", "compiled", "graph", "compiledGraph"];
        List<string[]> rows = [["step", "batch", "precision", "tokens/s", "ms", "of PyTorch:", .. modes]];
        var result = new JsonArray();
        foreach (RunConfig config in configs)
        {
            StepBenchmark own = StepBenchmark.Run(config, backend, steps);
            string precision = config.Train.Precision.Name();
            // Compiling takes the peer minutes: it stands beside the precision that people train in.
            JsonObject? other = config.Train.Precision != PrecisionKind.BFloat16 ? null : peer?.Ask("step", "--preset", config.Preset, "--batch", $"{config.Train.Batch}", "--vocab", $"{config.Model.Vocab}", "--precision", precision)?["tokensPerSecond"]?.AsObject();
            double milliseconds = 1e3 * config.Train.Batch * config.Model.Context / own.TokensPerSecond;
            result.Add(new JsonObject
            {
                ["preset"] = config.Preset, ["batch"] = config.Train.Batch, ["precision"] = precision, ["tokensPerSecond"] = own.TokensPerSecond,
                ["managedBytesPerStep"] = own.ManagedBytesPerStep, ["peer"] = Only(other, modes),
            });
            rows.Add(
            [
                config.Preset, $"{config.Train.Batch} × {config.Model.Context}", precision, Display.Count((long)own.TokensPerSecond), Display.Number(milliseconds, "0.000"), "",
                .. modes.Select(m => Ratio(own.TokensPerSecond, (double?)other?[m])),
            ]);
        }

        Add("steps", rows, result);
    }

    public void Kernels(IReadOnlyList<RunConfig> configs)
    {
        var result = new JsonArray();
        List<string[]> rows = [["kernel", "in", "calls", "ms", "TFLOP/s", "GB/s", "of roofline"]];
        foreach (RunConfig config in configs)
        {
            Roofline peak = shapes.Roofline(backend, config.Train.Precision);
            using var profiler = new Profiler(config, backend);
            ProfileReport report = profiler.Run(peak, OpGrouping.Op, shapes.ProfiledSteps);
            output.Note($"{config.Preset}: {Display.Number(1e3 * report.StepSeconds, "0.000")} ms a profiled step, {Display.Number(1e3 * report.SecondsOutside, "0.000")} ms of it between kernels");
            foreach (ProfileRow row in report.Kernels.OrderByDescending(r => r.Seconds))
            {
                double share = peak.ShareOf(row);
                result.Add(new JsonObject
                {
                    ["preset"] = config.Preset, ["name"] = row.Name, ["phase"] = row.Phase.ToString().ToLowerInvariant(), ["calls"] = row.Calls, ["ms"] = 1e3 * row.Seconds,
                    ["tflops"] = row.FlopsPerSecond / 1e12, ["gbps"] = row.BytesPerSecond / 1e9, ["rooflineShare"] = share,
                });
                if (row.Share > 0.01)
                {
                    rows.Add(
                    [
                        row.Name, config.Preset, Display.Number(row.Calls, "0"), Display.Number(1e3 * row.Seconds, "0.000"), Display.Number(row.FlopsPerSecond / 1e12, "0.0"),
                        Display.Number(row.BytesPerSecond / 1e9, "0"), Display.Number(100 * share, "0") + " %",
                    ]);
                }
            }
        }

        Add("kernels", rows, result);
        json["compiled"] = new JsonArray([.. backend.CompiledKernels.Select(k => (JsonNode)new JsonObject
        {
            ["name"] = k.Name, ["registers"] = k.Registers, ["localBytes"] = k.LocalBytes, ["sharedBytes"] = k.SharedBytes,
        })]);
        foreach (CompiledKernel kernel in backend.CompiledKernels.Where(k => k.LocalBytes > 0))
        {
            output.Line($"{kernel.Name}: {Display.Count(kernel.LocalBytes)} bytes of local memory a thread, {kernel.Registers} registers");
        }
    }

    public void Curves(RunConfig config, IReadOnlyList<PrecisionKind> precisions, string? data, int steps)
    {
        List<string[]> rows = [["curve", "first", "last", "largest difference from fp32"]];
        var result = new JsonArray();
        double[]? exact = null;
        foreach (PrecisionKind precision in precisions)
        {
            double[] losses = LossCurve.Of(config with { Train = config.Train with { Precision = precision, Steps = steps } }, backend, data, steps);
            exact ??= losses;
            double difference = LossCurve.LargestDifference(losses, exact);
            result.Add(new JsonObject { ["precision"] = precision.Name(), ["first"] = losses[0], ["last"] = losses[^1], ["largestDifference"] = difference });
            rows.Add([precision.Name(), Display.Number(losses[0], "0.0000"), Display.Number(losses[^1], "0.0000"), Display.Number(difference, "0.0000")]);
        }

        Add("curves", rows, result);
    }

    private void Add(string name, IReadOnlyList<string[]> rows, JsonArray result)
    {
        output.Line();
        output.Table(numbers: true, rows);
        json[name] = result;
    }

    private static string Ratio(double? over, double? under) => over is { } a && under is > 0 and var b ? Display.Number(a / b, "0.00") : "–";

    private static JsonObject? Only(JsonObject? from, params string[] names)
    {
        if (from is null)
        {
            return null;
        }

        var kept = new JsonObject();
        foreach (string name in names.Where(n => from[n] is not null))
        {
            kept[name] = (double)from[name]!;
        }

        return kept;
    }
}
