using System.Text.RegularExpressions;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;

namespace NanoFold.Gpu.Tests.Gemm.Wgmma;

/// <summary>Whether the machine sees every missing or wrong piece of order in products by warpgroups that do more where they end, and what they may have the wrong way round.</summary>
[Category("Long"), Parallelizable]
internal sealed partial class WgmmaFusedMutationTests
{
    // One block has four tiles, each of three steps of the depth through a ring of two stages.
    private static readonly Case[] s_cases =
    [
        new("gate", edit => WgmmaFusedTests.Gate(256, 128, 192) with { Edit = edit.Text, Schedule = edit.Schedule }),
        new("gradient of a gate", edit => WgmmaFusedTests.Gate(256, 128, 192) with { IsGradient = true, Tile = WgmmaFusedTests.Tile with { Stages = 2 }, Edit = edit.Text, Schedule = edit.Schedule }),
        new("turn", edit => WgmmaFusedTests.Turned(new GemmRotation(32, 32, false, false), 256, 3, 32, 192, WgmmaFusedTests.Tile with { Stages = 2 }) with { Edit = edit.Text, Schedule = edit.Schedule }),
    ];

    // Also with the warp held back that makes the barriers.
    private static readonly PtxSchedule[] s_schedules = [.. PtxSchedule.All(8), new() { Held = (0, 1) }];

    [TestCaseSource(nameof(Texts))]
    public void WhatIsMissingIsSeen(object of, string name, string text) => Seen((Case)of, name, _ => text);

    [TestCaseSource(nameof(WrongWays))]
    public void WhatIsTheWrongWayRoundIsSeen(object of, string name, Regex what, string with)
        => Seen((Case)of, name, text =>
        {
            string changed = what.Replace(text, with);
            Assert.That(changed, Is.Not.EqualTo(text), "nothing was changed");
            return changed;
        });

    [Test]
    public void NothingIsSeenWhereNothingIsWrong()
    {
        foreach ((Case of, PtxSchedule schedule) in s_cases.SelectMany(of => s_schedules.Take(7).Select(schedule => (of, schedule))))
        {
            of.Check(text => text, schedule);
        }
    }

    private static void Seen(Case of, string name, Func<string, string> edit)
    {
        foreach (PtxSchedule schedule in s_schedules)
        {
            using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
            {
                try
                {
                    of.Check(edit, schedule);
                }
                catch (Exception e) when (e is AssertionException or InvalidOperationException)
                {
                    return;
                }
            }
        }

        Assert.Fail($"nothing is seen of: {name}");
    }

    private static IEnumerable<TestCaseData> WrongWays()
    {
        (int Case, string Name, Regex What, string With)[] edits =
        [
            (0, "what gates multiply is stored by another map", UpMap(), "$1, 512;"),
            (0, "both halves of b's rows are the first one", Half(), "mov.b32 $1, 0;"),
            (1, "which chunks the rows after the first four have", Flip(), "$1, 32;"),
            (1, "the rounding of what the formula gave", Rounding(), "$1 $2, $3, $3;"),
            (2, "the sign of sines", Sign(), "0fBF800000, 0f3F800000"),
            (2, "where the first column of a pair is", First(), ", 0, 0,"),
            (2, "where the second column of a pair is", Second(), ", 0, 0,"),
        ];
        return edits.Select(e => new TestCaseData(s_cases[e.Case], e.Name, e.What, e.With).SetArgDisplayNames(e.Name));
    }

    private static IEnumerable<TestCaseData> Texts()
    {
        foreach (Case of in s_cases)
        {
            string text = "";
            of.Check(written => text = written, new());
            foreach ((string name, string mutated) in Mutations.Of(text).Concat(WithoutMeetingsOfWarps(text)))
            {
                yield return new TestCaseData(of, name, mutated).SetArgDisplayNames($"{of.Name}, {name}");
            }
        }
    }

    private static IEnumerable<(string Name, string Text)> WithoutMeetingsOfWarps(string text)
    {
        string[] lines = text.Split('\n');
        return Enumerable.Range(0, lines.Length).Where(i => lines[i].Contains("bar.warp", StringComparison.Ordinal)).Select(i => ($"without line {i}: {lines[i].Trim()}", string.Join('\n', [.. lines[..i], "", .. lines[(i + 1)..]])));
    }

    [GeneratedRegex(@"(add\.s64 %d\d+, %d\d+), 768;")]
    private static partial Regex UpMap();

    [GeneratedRegex(@"shr\.u32 (%r\d+), %r\d+, 1;")]
    private static partial Regex Half();

    [GeneratedRegex(@"(xor\.b32 %r\d+, %r\d+), 64;")]
    private static partial Regex Flip();

    [GeneratedRegex(@"(cvt\.rn\.bf16x2\.f32) (%r\d+), (%f\d+), %f\d+;")]
    private static partial Regex Rounding();

    [GeneratedRegex("0f3F800000, 0fBF800000")]
    private static partial Regex Sign();

    [GeneratedRegex(", -16, 0,")]
    private static partial Regex First();

    [GeneratedRegex(", 0, 16,")]
    private static partial Regex Second();

    /// <summary>A product, whose text is edited, in an order.</summary>
    internal sealed record Case(string Name, Func<(Func<string, string> Text, PtxSchedule Schedule), object> Of)
    {
        public void Check(Func<string, string> edit, PtxSchedule schedule)
        {
            switch (Of((edit, schedule)))
            {
                case GatedCase gated:
                    gated.Check();
                    break;
                case RotatedCase rotated:
                    rotated.Check();
                    break;
            }
        }

        public override string ToString() => Name;
    }
}
