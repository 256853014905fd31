using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Cli.Commands.Bench.Processors;

/// <summary><c>bench cpu</c>: all figures of this processor, by instruction set and threads, and what its threads wait for.</summary>
internal static class BenchCpu
{
    private const int DefaultSteps = 20;

    private static readonly string[] s_parts = ["products", "steps", "attention", "decode", "runs"];
    private static readonly string[] s_presets = ["nano", "small"];

    public static void Build(VerbCommand command)
    {
        Option<string[]?> parts = command.Names("--parts", "Some of the parts only; all if not given", s_parts);
        Option<string[]?> sets = command.Names("--isa", "Instruction sets; the widest one if not given", IsaNames.UpTo(IsaExtensions.Best));
        Option<string[]?> presets = command.Names("--presets", "Whose steps, products, writing and runs; both if not given", s_presets);
        Option<long?> steps = command.Integer("--steps", $"Timed steps; {DefaultSteps} if not given", 1, 1000);
        command.Common = [CommonOptions.Threads];
        command.JsonKeys = """
            processor, columns [{isa, threads}], and of each column in that order: products [{preset, name, m, n, k, transA, transB, gflops []}], steps [{preset, batch, context, tokensPerSecond []}],
              attention [{context, heads, headDim, batch, bothMs [], gflops []}], decode [{preset, prefillTokensPerSecond [], tokensPerSecond []}];
              runs {empty [{threads, us}], presets [{preset, kernels [{name, runs, items, ms, idleShare, threads (that did an item), usToSecond}] (with all threads),
              forecast [{cores, ms, sharedMs, unevenMs, serialMs, runMs}], lost [{name, runs, items, ms, lostMs}] (on 16 cores)}]}; what was not measured is absent
            """;
        command.Does(invocation => Run(
            invocation, invocation.Names(parts, s_parts), [.. invocation.Names(sets, IsaNames.Of(IsaExtensions.Best)).Select(name => IsaNames.Find(name)!.Value)],
            invocation.Names(presets, s_presets), (int)(invocation.Get(steps) ?? DefaultSteps)));
    }

    private static int Run(Invocation invocation, string[] parts, Isa[] sets, string[] presets, int steps)
    {
        int threads = invocation.Threads;
        CpuColumn[] columns = [.. sets.SelectMany(isa => new[] { 1, threads }.Distinct().Select(n => new CpuColumn(isa, n)))];
        RunConfig[] configs = [.. presets.Select(Config)];
        Output output = invocation.Output;
        output.Line($"{Processor.Name()}, {Display.Count(Environment.ProcessorCount, "processor")}");
        var json = new JsonObject
        {
            ["processor"] = Processor.Name(),
            ["columns"] = new JsonArray([.. columns.Select(c => (JsonNode)new JsonObject { ["isa"] = c.Isa.Name(), ["threads"] = c.Threads })]),
        };
        var figures = new CpuFigures(columns, output, json);
        if (parts.Contains("products"))
        {
            figures.Products(configs);
        }

        if (parts.Contains("steps"))
        {
            figures.Steps(configs, steps);
        }

        if (parts.Contains("attention"))
        {
            figures.Attention();
        }

        if (parts.Contains("decode"))
        {
            figures.Decode(configs);
        }

        if (parts.Contains("runs"))
        {
            new CpuRunFigures(threads, output, json).Write(configs, steps);
        }

        output.Result(json);
        return Faults.Done;
    }

    /// <summary>A preset with AdamW and one micro-batch, as the peers have it.</summary>
    private static RunConfig Config(string preset)
    {
        ConfigTree tree = new ConfigTree(preset).Set("tokenizer=byte").Set("train.optimizer=adamw").Set("train.accumulate=1");
        return RunVocab.Expect((preset == "small" ? tree.Set("train.batch=8") : tree).Build());
    }
}

/// <summary>How a figure is computed.</summary>
/// <param name="Isa">The instruction set.</param>
/// <param name="Threads">How many.</param>
internal sealed record CpuColumn(Isa Isa, int Threads)
{
    public string Title => $"{Isa.Name()} × {Display.Count(Threads)}";

    public T With<T>(Func<CpuBackend, T> measure)
    {
        using var backend = new CpuBackend(Threads, Isa);
        return measure(backend);
    }
}
