using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training;

/// <summary>Settings at the ends of their ranges: each combination is one clear line or a plan, before memory is taken.</summary>
public class SizeTests
{
    private const string AllMeasures =
        "[\"norms\",\"updates\",\"cosines\",\"spectrum\",\"twonn\",\"attention\",\"gates\",\"experts\",\"attention-heads\",{\"kind\":\"gride\",\"mostRank\":1024},"
        + "{\"kind\":\"levina-bickel\",\"k\":1024},\"decimation\",\"token-curvature\",\"layer-curvature\",\"cka\",\"overlap\",\"drift\",\"weight-norms\",\"weight-spectra\"]";

    private static readonly (double Share, string Key, string[] Values)[] s_settings =
    [
        (1, "model.layers", ["1", "2", "7"]),
        (0.6, "model.width", ["1", "2", "64", "1000", "4096", "32768", "65536"]),
        (0.6, "model.heads", ["1", "2", "64", "4096"]),
        (0.2, "model.kvHeads", ["1", "2", "64"]),
        (0.7, "model.headDim", ["2", "16", "64", "4096"]),
        (0.5, "model.context", ["1", "2", "8", "4096", "65536", "1048576", "4194304"]),
        (0.3, "model.vocab", ["256", "300", "65536", "4194304"]),
        (0.6, "model.hidden", ["1", "8", "262144"]),
        (0.5, "model.mixer", ["sliding-window", "gated-attention", "top-k", "gru", "convolution", "none"]),
        (0.3, "model.feedForward", ["relu", "moe", "{\"kind\":\"moe\",\"experts\":1024,\"active\":1024,\"hidden\":1}", "{\"kind\":\"moe\",\"experts\":1024,\"active\":1,\"shared\":1024,\"hidden\":262144}"]),
        (0.5, "train.batch", ["1", "2", "100", "65536", "1048576"]),
        (0.3, "train.accumulate", ["1", "2", "1048576"]),
        (0.3, "train.recompute", ["true"]),
        (0.2, "train.sampleEvery", ["1"]),
        (0.3, "data.maskDocuments", ["true"]),
        (0.4, "geometry.probeTokens", ["16", "100000", "16777216"]),
        (0.4, "geometry.neighborTokens", ["16", "65536"]),
        (0.5, "geometry.measures", [AllMeasures]),
    ];

    [TestCase("65536 values of a token", "a run with its evaluations|geometry.measures: spectrum takes 103.", "model.width=65536", "model.heads=2", "model.headDim=16", "model.hidden=8", "model.layers=1")]
    [TestCase("their parameters", "model.width × model.hidden: 11453071360 elements of model.layers.0.mlp.gate_proj.weight; at most 1073741824 of one parameter are supported", "model.width=65536", "model.heads=2", "model.headDim=16", "model.layers=1")]
    [TestCase("a vocabulary", "model.vocab × model.width: ", "model.vocab=4194304", "model.width=4096")]
    [TestCase("a batch", "train.batch × train.accumulate × model.context: ", "train.batch=1048576", "train.accumulate=1048576")]
    [TestCase("experts", "train.batch × model.context: ", "model.feedForward=moe", "model.feedForward.experts=1024", "model.feedForward.active=1024", "model.feedForward.hidden=1", "train.batch=100000", "model.width=2", "model.heads=1", "model.context=64")]
    [TestCase("attention rows", "geometry.probeTokens: attn.hook_pattern", "model.heads=4096", "model.headDim=2", "model.width=2", "model.context=1048576", "model.layers=1", "train.batch=1")]
    public void ASizeThatIsTooLargeIsNamed(string what, string line, params string[] settings)
    {
        string fault = Outcome(settings) ?? $"{what}: a plan";
        Assert.That(line.Split('|').Any(start => fault.StartsWith(start, StringComparison.Ordinal)), fault);
    }

    [Test]
    public void AnySizesAreOneLineOrAPlan() => Draw(seed: 1, count: 80);

    [Test]
    [Category("Long")]
    public void ManySizesAreOneLineOrAPlan() => Draw(seed: 2, count: 1000);

    private static void Draw(int seed, int count)
    {
        var random = new Random(seed);
        int plans = 0;
        for (int i = 0; i < count; i++)
        {
            string[] settings = [.. s_settings.Where(s => random.NextDouble() < s.Share).Select(s => $"{s.Key}={s.Values[random.Next(s.Values.Length)]}")];
            plans += Outcome(settings) is null ? 1 : 0;
        }

        Assert.That(plans, Is.InRange(count / 20, count / 2), "some are possible, some are not");
    }

    // The line, or null where there is a plan; either with little memory.
    private static string? Outcome(string[] settings)
    {
        using var cpu = new CpuBackend(1);
        string what = string.Join(' ', settings);
        long before = GC.GetAllocatedBytesForCurrentThread();
        string? line = null;
        try
        {
            RunConfig config = settings.Prepend("tokenizer=byte").Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build().WithVocab(256);
            MemoryCheck.RequireRun(config, cpu);
        }
        catch (UserException e)
        {
            line = e.Message;
            Assert.That(line, Does.Match("^((model|train|geometry)\\.|parameters, gradients and optimizer state: |a training step: |a run with )"), what);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(40_000_000), what);
        return line;
    }
}
