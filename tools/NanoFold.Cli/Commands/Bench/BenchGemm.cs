using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench gemm</c>: the rate of matrix products.</summary>
internal static class BenchGemm
{
    private static readonly string[] s_precisions = [.. Enum.GetValues<PrecisionKind>().Select(kind => kind.Name())];

    public static void Build(VerbCommand command)
    {
        Option<string?> preset = command.Text("--preset", string.Join('|', Presets.Names), "Whose linear layers, with a byte vocabulary; small if not given");
        Option<long?> m = command.Integer("--m", "Rows of the result; the tokens of a preset's batch if only this is given", 1, 1 << 20);
        Option<long?> n = command.Integer("--n", "Columns of the result", 1, 1 << 20);
        Option<long?> k = command.Integer("--k", "Inner length", 1, 1 << 20);
        Option<bool> transposeA = command.Flag("--trans-a", "a is stored [k, m]");
        Option<bool> transposeB = command.Flag("--trans-b", "b is stored [n, k]");
        Option<string?> precision = command.Text("--precision", string.Join('|', s_precisions), "What is multiplied: fp32 if not given");
        command.Common = [CommonOptions.Device, CommonOptions.Threads];
        command.JsonKeys = "cases [{name, m, n, k, transA, transB, threads, precision, gflops (median)}]";
        command.Does(invocation => Run(invocation, Cases(
            invocation.Get(preset) ?? "small", invocation.Get(m), invocation.Get(n), invocation.Get(k), invocation.Get(transposeA), invocation.Get(transposeB)),
            Precision(invocation.Get(precision))));
    }

    private static PrecisionKind Precision(string? name)
        => name is null ? PrecisionKind.Float32
            : Array.IndexOf(s_precisions, name) is >= 0 and int i ? Enum.GetValues<PrecisionKind>()[i]
            : throw UserException.Usage($"bench gemm: --precision {name}: expected one of {string.Join(", ", s_precisions)}");

    private static IEnumerable<GemmCase> Cases(string preset, long? m, long? n, long? k, bool transposeA, bool transposeB)
    {
        if (n is null && k is null && !transposeA && !transposeB)
        {
            RunConfig config = Presets.Of(preset);
            int tokens = (int)(m ?? config.Train.Batch * config.Model.Context);
            return [new GemmCase("cube", 1024, 1024, 1024, false, false), .. GemmCases.Of(config.Model with { Vocab = 256 }, tokens)];
        }

        return m is { } rows && n is { } columns && k is { } inner
            ? [new GemmCase("given", (int)rows, (int)columns, (int)inner, transposeA, transposeB)]
            : throw UserException.Usage("bench gemm: one shape needs --m, --n and --k");
    }

    private static int Run(Invocation invocation, IEnumerable<GemmCase> cases, PrecisionKind precision)
    {
        using Backend backend = Devices.Open(invocation);
        if (PrecisionCheck.WhyNot(precision, backend) is { } reason)
        {
            throw UserException.Usage($"bench gemm: {reason}");
        }

        PrecisionCheck.Tell(precision, backend, invocation.Output.Note);
        cases = [.. cases];
        Int128 most = cases.Max(c => ((Int128)c.M * c.K) + ((Int128)c.K * c.N) + ((Int128)c.M * c.N));
        DeviceMemory.Require(sizeof(float) * most, "bench gemm", "a smaller --m, --n or --k", backend);
        GemmResult[] results = [.. cases.Select(c => GemmResult.Measure(c, backend, precision.Arithmetic(backend)))];
        Output output = invocation.Output;
        output.Table(
            numbers: true,
            [
                ["product", "m", "n", "k", "form", "GFLOP/s"],
                .. results.Select(r => (string[])
                [
                    r.Case.Name, Display.Count(r.Case.M), Display.Count(r.Case.N), Display.Count(r.Case.K),
                    $"{(r.Case.TransposeA ? "aᵀ" : "a")} {(r.Case.TransposeB ? "bᵀ" : "b")}", Display.Number(r.FlopsPerSecond / 1e9, "0.0"),
                ]),
            ]);
        output.Result(new JsonObject
        {
            ["cases"] = new JsonArray([.. results.Select(r => (JsonNode)new JsonObject
            {
                ["name"] = r.Case.Name,
                ["m"] = r.Case.M,
                ["n"] = r.Case.N,
                ["k"] = r.Case.K,
                ["transA"] = r.Case.TransposeA,
                ["transB"] = r.Case.TransposeB,
                ["threads"] = invocation.Threads,
                ["precision"] = precision.Name(),
                ["gflops"] = r.FlopsPerSecond / 1e9,
            })]),
        });
        return Faults.Done;
    }
}
