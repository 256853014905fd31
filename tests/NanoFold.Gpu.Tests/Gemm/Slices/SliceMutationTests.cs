using System.Globalization;
using System.Text.RegularExpressions;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm.Slices;

/// <summary>Whether the machine sees what is missing or wrong where parts of a tile's depth are left, counted and added: a fault, other bits, or counters that are not 0 again.</summary>
[Category("Long"), Parallelizable]
internal sealed partial class SliceMutationTests
{
    private static readonly GemmTile s_mma = new(64, 64, 32, 32, 64, 3, 0), s_wgmma = new(128, 64, 16, 64, 128, 2, 1);

    private static readonly (string Name, GemmCase Case)[] s_cases =
    [
        ("slices", new GemmCase(GemmFamily.Mma, s_mma, GpuType.BFloat16, 70, 64, 200) { Slices = 3 }),
        ("stream", new GemmCase(GemmFamily.Wgmma, s_wgmma with { IsStream = true }, GpuType.BFloat16, 128, 128, 392) { ColumnsB = true, Multiprocessors = 5 }),
        ("slices by warpgroups", new GemmCase(GemmFamily.Wgmma, s_wgmma, GpuType.BFloat16, 128, 64, 392) { ColumnsB = true, Slices = 3, Multiprocessors = 4 }),
    ];

    private static readonly PtxSchedule[] s_schedules =
    [
        new() { Resident = 99 }, new() { Resident = 99, LastWarpFirst = true }, .. Enumerable.Range(1, 6).Select(seed => new PtxSchedule { Resident = 99, Seed = seed }), new(), new() { Held = (0, 1), Resident = 99 },
        new() { Held = (4, 5), Resident = 99 },
    ];

    // Only where parts are added: taken out one by one; of those that are many, some.
    private static readonly string[] s_orders = ["bar.sync", "atom.", "st.shared.b32", "ld.shared.b32"], s_many = ["st.global.v4.f32", "ld.global.v4.f32"];

    private const int Every = 6;

    [TestCaseSource(nameof(Texts))]
    public void WhatIsMissingIsSeen(int number, string name, string text)
    {
        GemmCase product = s_cases[number].Case;
        double[] right = Run(product).Y!;
        string? seen = s_schedules.Select(schedule => Failure(product with { Schedule = schedule, Edit = _ => text }, right)).FirstOrDefault(failure => failure is not null);
        Assert.That(seen, Is.Not.Null, $"nothing is seen of: {name}");
        TestContext.Out.WriteLine(seen);
    }

    [Test]
    public void NothingIsSeenWhereNothingIsWrong([Range(0, 2)] int number)
    {
        double[] right = Run(s_cases[number].Case).Y!;
        foreach (PtxSchedule schedule in s_schedules)
        {
            Assert.That(Failure(s_cases[number].Case with { Schedule = schedule }, right), Is.Null, $"{schedule}");
        }
    }

    private static string? Failure(GemmCase product, double[] right)
    {
        (double[]? y, string? failure) = Run(product);
        return failure ?? (y.AsSpan().SequenceEqual(right) ? null : "other bits");
    }

    private static (double[]? Y, string? Failure) Run(GemmCase product)
    {
        using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
        {
            try
            {
                return ((product with { SeeksRaces = true, Times = 2 }).Run().Y, null);
            }
            catch (Exception e) when (e is AssertionException or InvalidOperationException)
            {
                return (null, e.Message);
            }
        }
    }

    private static IEnumerable<TestCaseData> Texts()
    {
        for (int number = 0; number < s_cases.Length; number++)
        {
            (string name, GemmCase product) = s_cases[number];
            string text = Text(product);
            string[] lines = text.Split('\n');
            int atom = Array.FindIndex(lines, line => line.Contains("atom.", StringComparison.Ordinal));
            int first = Array.FindLastIndex(lines, atom, line => line.Contains("wait_group", StringComparison.Ordinal)) + 3, last = Array.FindIndex(lines, atom, line => line.Contains("setp.gt", StringComparison.Ordinal));
            int many = 0;
            for (int i = first; i < last; i++)
            {
                string instruction = Guard().Replace(lines[i].Trim(), "");
                bool isOfMany = s_many.Any(o => instruction.StartsWith(o, StringComparison.Ordinal)) && ++many % Every == 1;
                if (isOfMany || s_orders.Any(o => instruction.StartsWith(o, StringComparison.Ordinal)))
                {
                    yield return Case($"without line {i}: {lines[i].Trim()}", i, "");
                }

                if (instruction.StartsWith("atom.", StringComparison.Ordinal))
                {
                    yield return Case($"relaxed, line {i}: {lines[i].Trim()}", i, lines[i].Replace(".acq_rel.", ".relaxed.", StringComparison.Ordinal));
                    yield return Case($"one more, line {i}: {lines[i].Trim()}", i, Bound().Replace(lines[i], "${before}1000;"));
                }
            }

            TestCaseData Case(string what, int at, string line)
                => new TestCaseData(number, what, string.Join('\n', [.. lines[..at], line, .. lines[(at + 1)..]])).SetArgDisplayNames(string.Create(CultureInfo.InvariantCulture, $"{name}, {what}"));
        }
    }

    private static string Text(GemmCase product)
    {
        string text = "";
        (product with { Edit = written => text = written }).Run();
        return text;
    }

    [GeneratedRegex(@"^@!?%p\d+ ")]
    private static partial Regex Guard();

    /// <summary>What the counter turns at.</summary>
    [GeneratedRegex(@"(?<before>atom\S+ \S+, \S+, )%r\d+;")]
    private static partial Regex Bound();
}
