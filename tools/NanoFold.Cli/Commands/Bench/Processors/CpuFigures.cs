using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli.Commands.Bench.Processors;

/// <summary>The parts of <c>bench cpu</c> that have a figure for each instruction set and number of threads: each measures, prints its table, and adds itself to the result.</summary>
internal sealed class CpuFigures(IReadOnlyList<CpuColumn> columns, Output output, JsonObject json)
{
    private static readonly AttentionCase[] s_attention = [new(64, 4, 4, 32, 12), new(256, 6, 6, 64, 8), new(1024, 12, 12, 64, 1)];

    public void Products(IReadOnlyList<RunConfig> configs)
    {
        List<string[]> rows = [Header("products, GFLOP/s", "m", "n", "k")];
        var result = new JsonArray();
        foreach ((string preset, GemmCase shape) in configs.SelectMany(c => GemmCases.Of(c.Model, c.Train.Batch * c.Model.Context).Select(s => (c.Preset, s))).Prepend(("", new GemmCase("cube", 1024, 1024, 1024, false, false))))
        {
            double[] rates = Each(column => column.With(backend => GemmResult.Measure(shape, backend).FlopsPerSecond / 1e9));
            result.Add(new JsonObject
            {
                ["preset"] = preset, ["name"] = shape.Name, ["m"] = shape.M, ["n"] = shape.N, ["k"] = shape.K, ["transA"] = shape.TransposeA, ["transB"] = shape.TransposeB, ["gflops"] = Array(rates),
            });
            rows.Add([$"{preset} {shape.Name}".Trim(), Display.Count(shape.M), Display.Count(shape.N), Display.Count(shape.K), .. rates.Select(Tenths)]);
        }

        Add("products", rows, result);
    }

    public void Steps(IReadOnlyList<RunConfig> configs, int steps)
    {
        List<string[]> rows = [Header("steps, tokens/s", "batch")];
        var result = new JsonArray();
        foreach (RunConfig config in configs)
        {
            double[] rates = Each(column => column.With(backend => StepBenchmark.Run(config, backend, steps).TokensPerSecond));
            result.Add(new JsonObject { ["preset"] = config.Preset, ["batch"] = config.Train.Batch, ["context"] = config.Model.Context, ["tokensPerSecond"] = Array(rates) });
            rows.Add([config.Preset, $"{Display.Count(config.Train.Batch)} × {Display.Count(config.Model.Context)}", .. rates.Select(Whole)]);
        }

        Add("steps", rows, result);
    }

    public void Attention()
    {
        List<string[]> rows = [Header("attention, both passes, ms", "batch", "heads", "head dim")];
        var result = new JsonArray();
        foreach (AttentionCase shape in s_attention)
        {
            AttentionResult[] passes = [.. columns.Select(column => column.With(backend => AttentionResult.Measure(shape, backend)))];
            double[] seconds = [.. passes.Select(pass => pass.ForwardSeconds + pass.BackwardSeconds)];
            result.Add(new JsonObject
            {
                ["context"] = shape.Context, ["heads"] = shape.Heads, ["headDim"] = shape.HeadDim, ["batch"] = shape.Batch,
                ["bothMs"] = Array([.. seconds.Select(s => 1e3 * s)]), ["gflops"] = Array([.. passes.Select(pass => pass.FlopsPerSecond / 1e9)]),
            });
            rows.Add([$"context {Display.Count(shape.Context)}", Display.Count(shape.Batch), Display.Count(shape.Heads), Display.Count(shape.HeadDim), .. seconds.Select(s => Display.Number(1e3 * s, "0.00"))]);
        }

        Add("attention", rows, result);
    }

    public void Decode(IReadOnlyList<RunConfig> configs)
    {
        List<string[]> rows = [Header("one text, tokens/s", "tokens")];
        var result = new JsonArray();
        foreach (RunConfig config in configs)
        {
            int half = config.Model.Context / 2;
            DecodeBenchmark[] rates = [.. columns.Select(column => column.With(backend => DecodeBenchmark.Run(config, backend, half, Math.Min(64, half), batch: 1)))];
            double[] read = [.. rates.Select(r => r.PrefillTokensPerSecond)], written = [.. rates.Select(r => r.TokensPerSecond)];
            result.Add(new JsonObject { ["preset"] = config.Preset, ["prefillTokensPerSecond"] = Array(read), ["tokensPerSecond"] = Array(written) });
            rows.Add([$"{config.Preset}, read", Display.Count(half), .. read.Select(Whole)]);
            rows.Add([$"{config.Preset}, written", Display.Count(Math.Min(64, half)), .. written.Select(Whole)]);
        }

        Add("decode", rows, result);
    }

    private string[] Header(params string[] first) => [.. first, .. columns.Select(column => column.Title)];

    private double[] Each(Func<CpuColumn, double> measure) => [.. columns.Select(measure)];

    private void Add(string key, List<string[]> rows, JsonArray result)
    {
        output.Line();
        output.Table(numbers: true, rows);
        json[key] = result;
    }

    private static JsonArray Array(double[] figures) => [.. figures.Select(figure => (JsonNode)figure)];

    private static string Tenths(double rate) => Display.Number(rate, "0.0");

    private static string Whole(double rate) => Display.Count((long)rate);
}
