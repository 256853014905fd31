using System.Text.Json;
using NanoFold.Engine.Profiling;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Profiling;

public class ChromeTraceTests
{
    [TestCase(1)]
    [TestCase(3)]
    public void EventsOfARowNestAndNeverOverlap(int threads)
    {
        JsonElement[] events = Trace(threads);
        (string Name, int Thread)[] rows = [.. events.Where(e => e.GetProperty("ph").GetString() == "M")
            .Select(e => (e.GetProperty("args").GetProperty("name").GetString()!, e.GetProperty("tid").GetInt32()))];
        Assert.That(rows, Is.EqualTo(Enumerable.Range(0, threads).Select(t => (t == 0 ? "main" : $"worker {t}", t))));

        foreach (IGrouping<int, JsonElement> row in events.Where(e => e.GetProperty("ph").GetString() == "X").GroupBy(e => e.GetProperty("tid").GetInt32()))
        {
            var open = new Stack<decimal>();
            foreach (JsonElement run in row.OrderBy(Started).ThenByDescending(e => e.GetProperty("dur").GetDecimal()))
            {
                while (open.Count > 0 && open.Peek() <= Started(run))
                {
                    open.Pop();
                }

                Assert.That(Ended(run), Is.LessThanOrEqualTo(open.Count > 0 ? open.Peek() : decimal.MaxValue), $"{run}");
                open.Push(Ended(run));
                Assert.That(row.Key == 0 || open.Count == 1, "a worker does one thing at a time");
            }
        }
    }

    [Test]
    public void ItTellsStepsOpsKernelsAndWork()
    {
        JsonElement[] events = Trace(3);
        string[] Names(string category) => [.. events.Where(e => e.TryGetProperty("cat", out JsonElement c) && c.GetString() == category).Select(e => e.GetProperty("name").GetString()!)];

        Assert.That(Names("step"), Is.EqualTo(new[] { "step" }));
        Assert.That(Names("part"), Has.Member("draw batch").And.Member("muon"));
        Assert.That(Names("op"), Has.Some.EndsWith("blocks.0.attn.linear v_proj"));
        Assert.That(Names("kernel"), Has.Member("fused-attention-backward").And.Some.StartsWith("matmul "));
        Assert.That(Names("work"), Is.Not.Empty.And.None.Contain("`"));
    }

    private static decimal Started(JsonElement run) => run.GetProperty("ts").GetDecimal();

    private static decimal Ended(JsonElement run) => Started(run) + run.GetProperty("dur").GetDecimal();

    private static JsonElement[] Trace(int threads)
    {
        using var backend = new CpuBackend(threads);
        using var profiler = new Profiler(ProfilerTests.Config(ModelVariants.Base with { Width = 32, Hidden = 64 }, "muon"), backend);
        using var stream = new MemoryStream();
        profiler.Run(new Roofline(1e11, 1e10), steps: 2).WriteTrace(stream);
        return [.. JsonDocument.Parse(stream.ToArray()).RootElement.GetProperty("traceEvents").EnumerateArray()];
    }
}
