using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments.Coordinates;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Tests.Reports;

/// <summary>The folder of a comparison whose runs were never trained: its curves are formulas, so that what a page shows of them is known.</summary>
internal static class MadeUpComparison
{
    public const int Steps = 400, TokensPerStep = 768;

    public static readonly long[] Seeds = [1, 2, 3];

    private static readonly (string Name, double Loss, string Mixer)[] s_variants =
    [
        ("gated-delta", 1.62, "gated-delta-net"), ("attention", 1.66, "attention"), ("window", 1.67, "sliding-window"), ("mamba", 1.71, "mamba"), ("gru", 1.88, "gru"),
    ];

    /// <summary>Writes runs, result and coordinate check into a folder.</summary>
    public static ComparisonResult Write(string folder) => Write(folder, s_variants);

    /// <summary>The same of other variants; one of them is attention, the second one.</summary>
    public static ComparisonResult Write(string folder, IReadOnlyList<(string Name, double Loss, string Mixer)> given)
    {
        (string Name, Dictionary<long, double> Losses, VariantResult Result)[] made = [.. given.Select((variant, i) => Variant(folder, variant.Name, variant.Loss, variant.Mixer, i))];
        Dictionary<long, double> ofBase = made[1].Losses;
        PairedDifference?[] differences = [.. PairedDifference.Corrected([.. made.Select(variant => variant.Name == "attention" ? null : PairedDifference.Of([.. variant.Losses.Where(pair => ofBase.ContainsKey(pair.Key)).Select(pair => (pair.Value, ofBase[pair.Key]))]))])];
        VariantResult[] variants = [.. made.Select((variant, i) => variant.Result with
        {
            Figures =
            [
                Figure("loss", variant.Losses.Values, differences[i]),
                Figure("bitsPerByte", variant.Losses.Values.Select(loss => loss / Math.Log(2)), null),
            ],
            Verdict = differences[i]?.Verdict switch { null => "the base", DifferenceVerdict.Lower => "lower", DifferenceVerdict.Higher => "higher", _ => "no difference seen at 3 seeds" },
        })];
        var result = new ComparisonResult
        {
            Title = "Five mixers on tinyshakespeare", Equal = "params", Task = "text", LossUnit = "nats per token", RankedBy = "loss", IsOfAllHeldBack = false, Base = "attention", Seeds = Seeds,
            Variants = variants,
            Summary = ["gated-delta may be the best: all others are worse.", "window differs from attention by less than the noise of seeds; 41 seeds would be needed to see a difference of 0.008."],
            AllRuns = [.. variants.SelectMany(variant => variant.Runs)],
            References =
            [
                new ReferenceResult("Kneser-Ney, order 5", [new Score("loss", 1.83), new Score("bitsPerByte", 1.83 / Math.Log(2))]),
                new ReferenceResult("xz, text known", [new Score("bitsPerByte", 2.55)]), new ReferenceResult("guessing", [new Score("loss", Math.Log(256))]),
            ],
        };
        result.Write(folder);
        Check().Write(folder);
        return result;
    }

    /// <summary>The loss of a made-up run after some steps.</summary>
    public static double Loss(double final, long seed, int step) => final + (0.008 * (seed - 2)) + (3.8 / (1 + (step / 12.0)));

    private static (string Name, Dictionary<long, double> Losses, VariantResult Result) Variant(string folder, string name, double final, string mixer, int index)
    {
        var settings = (JsonObject)JsonNode.Parse("""{"model":{"mixer":""}}""")!;
        settings["model"]!["mixer"] = mixer;
        if (name.Split(" width=") is [_, var width])
        {
            settings["model"]!["width"] = int.Parse(width, CultureInfo.InvariantCulture);
        }

        RunConfig config = Config($"model.mixer={mixer}");
        CostModel cost = CostModel.Of(config.Model);
        long flops = CostModel.FlopsPerToken(config.Model);
        CollectedRun[] runs = [.. Seeds.Select(seed => Run(folder, name, config, final + (0.004 * index * (seed == 3 ? 1 : 0)), seed, flops, isFailed: name == "gru" && seed == 3))];
        Dictionary<long, double> losses = runs.Where(run => run.State == CollectedState.Finished).ToDictionary(run => run.Seed, run => run.Validation["loss"]);
        return (name, losses, new VariantResult
        {
            Name = name, IsBase = name == "attention", Settings = name == "attention" ? [] : settings, Parameters = cost.Parameters, FlopsPerToken = flops,
            CacheBytesPerToken = (double)cost.CacheBytesPerSequence / config.Model.Context, MayBeBest = name == "gated-delta", TokensPerSecond = 21000 - (1700 * index), PeakBytes = (80 + (9 * index)) << 20,
            Tokens = Steps * TokensPerStep, TrainingFlops = (double)flops * Steps * TokensPerStep, Seconds = 15 + index, LearningRate = 0.01,
            Search = [.. new[] { 0.003, 0.01, 0.03 }.Select(rate => new SearchTrial(rate, null, final + (0.3 * Math.Pow(Math.Log10(rate / 0.011), 2)), CollectedState.Finished, $"runs/{name}-{rate}", rate == 0.01))],
            Breakdowns = [Breakdown("position", "places of the row before it", AxisScale.Doubling, final, 7), Breakdown("frequency", "times in the text trained on", AxisScale.Decades, final + 0.4, 5)],
            Contexts = [new(1, 64, final, 0.01, null, null, null), new(2, 128, final + (0.1 * index), 0.01, null, null, null), new(4, 256, index == 4 ? null : final + (0.3 * index), null, null, null, index == 4 ? "learned positions end" : null)],
            Geometry = [.. from layer in Enumerable.Range(0, 4) from figure in new[] { "participationRatio", "erankEig" } select new GeometryResult("spectrum", figure, $"blocks.{layer}.hook_resid_post", layer, 12 - layer + (2 * index), 0.4, 3)],
            Runs = runs,
        });
    }

    private static CollectedRun Run(string folder, string name, RunConfig config, double final, long seed, long flops, bool isFailed)
    {
        string run = $"runs/{name}-seed-{seed}";
        int steps = isFailed ? 120 : Steps;
        WriteRun(Path.Combine(folder, run), config, final, seed, steps);
        return new CollectedRun
        {
            Run = run, Variant = name, Seed = seed, LearningRate = 0.01, State = isFailed ? CollectedState.Failed : CollectedState.Finished, Fault = isFailed ? "the loss is not a number after step 120" : null, End = isFailed ? null : "finished",
            Steps = steps, Tokens = steps * TokensPerStep, Flops = (double)flops * steps * TokensPerStep, Seconds = steps * 0.04, TokensPerSecond = 20000, PeakBytes = 90 << 20, TrainLoss = Loss(final, seed, steps),
            Validation = new Dictionary<string, double> { ["loss"] = Loss(final, seed, steps), ["bitsPerByte"] = Loss(final, seed, steps) / Math.Log(2) }, Device = "cpu", Threads = 1, InstructionSet = "avx512",
        };
    }

    /// <summary>Writes a run's configuration and metrics.</summary>
    public static void WriteRun(string path, RunConfig config, double final, long seed, int steps)
    {
        long flops = CostModel.FlopsPerToken(config.Model);
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, RunConfig.FileName), config.ToJson());
        IEnumerable<string> Lines()
        {
            for (int step = 1; step <= steps; step++)
            {
                string place = string.Create(CultureInfo.InvariantCulture, $"\"step\":{step},\"elapsedSeconds\":{step * 0.04},\"tokens\":{step * TokensPerStep},\"flops\":{(double)flops * step * TokensPerStep:R}");
                yield return string.Create(CultureInfo.InvariantCulture, $"{{{place},\"loss\":{Loss(final, seed, step) + (0.05 * Math.Sin(step))},\"gradientNorm\":1,\"learningRate\":0.01,\"tokensPerSecond\":20000}}");
                if (step % 50 == 0)
                {
                    yield return string.Create(CultureInfo.InvariantCulture, $"{{{place},\"validationLoss\":{Loss(final, seed, step)},\"validationBitsPerByte\":{Loss(final, seed, step) / Math.Log(2)},\"validationTokens\":16384}}");
                }
            }
        }

        File.WriteAllLines(Path.Combine(path, RunFolder.MetricsFile), Lines());
    }

    /// <summary>The configuration of a made-up run.</summary>
    public static RunConfig Config(params string[] settings)
        => settings.Aggregate(new ConfigTree("nano").AddJson("""{"tokenizer":"byte","model":{"vocab":256},"train":{"steps":400}}""", "made up"), (tree, setting) => tree.Set(setting)).Build();

    private static FigureResult Figure(string name, IEnumerable<double> values, PairedDifference? difference)
    {
        SampleSummary summary = SampleSummary.Of([.. values]);
        return new FigureResult(name, summary.Mean, summary.StandardDeviation, summary.Count, difference);
    }

    private static BreakdownResult Breakdown(string axis, string meaning, AxisScale scale, double final, int bins)
        => new(axis, meaning, scale, [.. Enumerable.Range(0, bins).Select(bin => new BinResult(bin == 0 ? 0 : 1 << (bin - 1), bin == 0 ? 0 : (1 << bin) - 1, 200 << bin, final + (1.2 / (1 + bin)), 0.02, null, null))]);

    private static CoordinateCheck Check()
    {
        int[] widths = [64, 128, 256, 512];
        ParametrizationCheck Of(string kind, double power) => new(
            kind, 0.01,
            [.. from point in new[] { "hook_resid_post", "hook_logits" } from width in widths from step in Enumerable.Range(0, 5) select new CoordinatePoint(point, width, step, 1, 0.1 * step * Math.Pow(width / 64.0, power))],
            [new("hook_resid_post", 0, power), new("hook_logits", 0, power)]);
        return new CoordinateCheck { Widths = widths, Steps = 4, Seeds = [1], Parametrizations = [Of("standard", 0.5), Of("mup", 0.02)] };
    }
}
