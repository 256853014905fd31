using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks.Mixers;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench attention --mixers</c>: sequence mixers of one shape over contexts, each by turns with dense attention.</summary>
internal sealed class BenchMixers
{
    public const string JsonKeys = "with --mixers: cases [{mixer, settings, context, batch, threads, forwardMs, backwardMs (of mixing a batch, without the linear layers), linearMs (of these, both passes), "
        + "tokenMs (decoding one token of one sequence at the context's end, linear layers included), timeOfAttention (mixing, over dense attention's in turn), gflop (work of mixing, both passes), gflops, arenaBytes, stateBytes (of decoding a sequence)}]";

    private const long MostElements = 1L << 28;
    private const double SecondsWithoutWord = 5;

    private static readonly string[] s_kinds = [.. Variant.Of<MixerConfig>().Select(v => v.Kind).Where(kind => kind != new NoneConfig().Kind)];

    private readonly Option<string[]?> _mixers;
    private readonly Option<string[]> _set;
    private readonly Option<string?> _plot;

    public BenchMixers(VerbCommand command)
    {
        _mixers = command.Names("--mixers", "Times whole sequence mixers of these kinds beside dense attention", s_kinds);
        _set = command.Texts("--set", "KEY=VALUE", "With --mixers: a setting of the model, such as model.mixer.window=64 where one kind is named; may be given several times");
        _plot = command.Text("--plot", "FILE", "With --mixers: draws time against context as SVG");
    }

    /// <summary>Whether mixers are what is to be timed.</summary>
    public bool IsAsked(Invocation invocation)
    {
        bool asked = invocation.Get(_mixers) is { Length: > 0 };
        if (!asked && (invocation.Get(_plot) is not null || invocation.Get(_set) is { Length: > 0 }))
        {
            throw UserException.Usage("bench attention: --set and --plot go with --mixers");
        }

        return asked;
    }

    /// <param name="invocation">Of the verb.</param>
    /// <param name="preset">Whose model it is but for what follows.</param>
    /// <param name="shape">Settings of heads, those that are given.</param>
    /// <param name="cases">Contexts and batches.</param>
    public int Run(Invocation invocation, string preset, (string Key, long? Value)[] shape, (int Context, int Batch)[] cases)
    {
        string[] kinds = invocation.Get(_mixers)!, assignments = invocation.Get(_set) ?? [];
        if (kinds.Length > 1 && assignments.FirstOrDefault(a => a.StartsWith("model.mixer", StringComparison.Ordinal)) is { } own)
        {
            throw UserException.Usage($"bench attention: --set {own} is for one kind; name one with --mixers");
        }

        MixerCase Case(string kind, int context, int batch, string[] settings)
        {
            var tree = new ConfigTree(preset);
            tree.Set("tokenizer=byte").Set("model.mixer", JsonValue.Create(kind)).Set("model.context", JsonValue.Create(context));
            foreach ((string key, long? value) in shape.Where(s => s.Value is not null))
            {
                tree.Set($"model.{key}", JsonValue.Create(value!.Value));
            }

            Array.ForEach(settings, assignment => tree.Set(assignment));
            return Checked(new MixerCase(tree.Build().Model, batch));
        }

        if (invocation.Get(_plot) is { } plot)
        {
            OutputFile.Require(plot, _plot.Name);
        }

        string[] ofModel = [.. assignments.Where(a => !a.StartsWith("model.mixer", StringComparison.Ordinal))];
        // All of them before anything runs: a setting that does not fit is told at once.
        (MixerCase Dense, MixerCase[] Others)[] planned = [.. cases.Select(c =>
        {
            MixerCase dense = Case(new AttentionConfig().Kind, c.Context, c.Batch, ofModel);
            return (dense, kinds.Select(kind => Case(kind, c.Context, c.Batch, assignments)).Select(other => other == dense ? dense : other).ToArray());
        })];
        using Backend backend = Devices.Open(invocation);
        Output output = invocation.Output;
        ModelConfig model = planned[0].Dense.Model;
        output.Line($"one layer of width {Display.Count(model.Width)}, {model.Heads} heads of {model.HeadDim}, {backend.Name}");
        var results = new List<MixerResult>();
        foreach ((MixerCase dense, MixerCase[] others) in planned)
        {
            // Long contexts take minutes: who waits sees that it goes on.
            long started = Stopwatch.GetTimestamp();
            IReadOnlyList<MixerResult> ofContext = MixerResult.Measure(dense, others, backend, done =>
            {
                if (Stopwatch.GetElapsedTime(started).TotalSeconds > SecondsWithoutWord)
                {
                    output.Note($"context {Display.Count(dense.Context)}: {done.Case.Kind} is measured, {Display.Number(done.TimeOfAttention)} × dense attention");
                    started = Stopwatch.GetTimestamp();
                }
            });
            results.AddRange(ofContext);
            output.Line();
            output.Line($"context {Display.Count(dense.Context)}, {Display.Count(dense.Batch, "sequence")}");
            Write(output, ofContext);
        }

        output.Line();
        output.Line("forward, backward: ms of mixing the batch, without linear layers; × dense: both over dense attention's, by turns; GFLOP: work of both; token: ms of decoding one at the context's end, linear layers included; state: kept of a sequence");
        if (invocation.Get(_plot) is { } path)
        {
            MixerPlot.Write(path, results);
            output.Line($"{Shell.Argument(path)} shows time against context");
        }

        output.Result(new JsonObject { ["cases"] = new JsonArray([.. results.Select(r => (JsonNode)Describe(r, invocation.Threads))]) });
        return Faults.Done;
    }

    private static MixerCase Checked(MixerCase shape) => shape.Elements <= MostElements
        ? shape
        : throw UserException.Usage(
            $"bench attention: batch {shape.Batch} × context {shape.Context} × width {shape.Model.Width} are {shape.Elements} elements; at most {MostElements} are supported");

    private static void Write(Output output, IReadOnlyList<MixerResult> results) => output.Table(
        numbers: true,
        [
            ["mixer", "forward", "backward", "× dense", "GFLOP", "token", "state"],
            .. results.Select(r => (string[])
            [
                r.Case.Kind, Milliseconds(r.ForwardSeconds), Milliseconds(r.BackwardSeconds), Display.Number(r.TimeOfAttention, "0.00"),
                Display.Number(r.Flops / 1e9, r.Flops < 1e11 ? "0.00" : "0"), Display.Number(1000 * r.TokenSeconds, "0.000"), Display.Bytes(r.StateBytes),
            ]),
        ]);

    private static string Milliseconds(double seconds) => Display.Number(1000 * seconds, seconds < 1 ? "0.00" : "0");

    private static JsonObject Describe(MixerResult result, int threads) => new()
    {
        ["mixer"] = result.Case.Kind,
        ["settings"] = JsonNode.Parse(new RunConfig { Model = result.Case.Model }.ToJson())!["model"]!["mixer"]!.DeepClone(),
        ["context"] = result.Case.Context,
        ["batch"] = result.Case.Batch,
        ["threads"] = threads,
        ["forwardMs"] = 1000 * result.ForwardSeconds,
        ["backwardMs"] = 1000 * result.BackwardSeconds,
        ["linearMs"] = 1000 * result.LinearSeconds,
        ["tokenMs"] = 1000 * result.TokenSeconds,
        ["timeOfAttention"] = result.TimeOfAttention,
        ["gflop"] = result.Flops / 1e9,
        ["gflops"] = result.FlopsPerSecond / 1e9,
        ["arenaBytes"] = result.ArenaBytes,
        ["stateBytes"] = result.StateBytes,
    };
}
