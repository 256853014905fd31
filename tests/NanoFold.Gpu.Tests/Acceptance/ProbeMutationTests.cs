using NanoFold.Gpu.Tests.Gemm;
using NanoFold.Gpu.Tests.Gemm.Wgmma;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Acceptance;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Acceptance;

/// <summary>Whether the machine sees every missing or wrong piece of order in clusters of blocks and in sums by tensor maps, of which the probes of a card are the smallest programs.</summary>
[Parallelizable]
internal sealed class ProbeMutationTests
{
    private static readonly PtxSchedule[] s_schedules =
    [
        .. PtxSchedule.All(6), .. PtxSchedule.All(6).Select(schedule => schedule with { Resident = 3 }), .. from rank in new[] { 0, 1 } select new PtxSchedule { Held = (0, 2), HeldRank = rank },
    ];

    [TestCaseSource(nameof(Texts))]
    public void WhatIsMissingIsSeen(CardCheck check, string name, string text)
    {
        // That blocks meet before they end is what the lint wants of all programs; this one could do without.
        string? seen = s_schedules.Select(schedule => Failure(check, schedule, _ => text)).FirstOrDefault(failure => failure is not null) ?? PtxLint.Check(text, 32).Faults.FirstOrDefault();
        Assert.That(seen, Is.Not.Null, $"nothing is seen of: {name}");
        TestContext.Out.WriteLine(seen);
    }

    [TestCase("cluster-of-2")]
    [TestCase("cluster-of-4")]
    [TestCase("box-sum-at-0-0")]
    [TestCase("box-sum-at-16-8")]
    public void NothingIsSeenWhereNothingIsWrong(string name)
    {
        foreach (PtxSchedule schedule in s_schedules)
        {
            Assert.That(Failure(Check(name), schedule, text => text), Is.Null, $"{schedule}");
        }
    }

    [Test]
    public void TheLintFindsNothingInThem()
    {
        foreach (PtxProgram program in new[] { ClusterProbe.Write(2), ClusterProbe.Write(4), SumProbe.Write() })
        {
            Assert.That(PtxLint.Check(program.Text, program.Threads, program.SharedBytes).Faults, Is.Empty);
        }
    }

    [TestCase("cp.async.bulk.commit_group;", "in no group")]
    [TestCase("cp.async.bulk.wait_group 0;", "not waited for")]
    public void TheLintSeesSumsThatNobodyWaitsFor(string removed, string fault)
    {
        PtxProgram program = SumProbe.Write();
        int last = program.Text.LastIndexOf(removed, StringComparison.Ordinal), line = program.Text.LastIndexOf('\n', last);
        Assert.That(Faults(program.Text), Is.Empty);
        Assert.That(Faults(program.Text.Remove(line, last + removed.Length - line)), Has.Some.Contains(fault));

        IReadOnlyList<string> Faults(string text) => PtxLint.Check(text, program.Threads, program.SharedBytes).Faults;
    }

    private static string? Failure(CardCheck check, PtxSchedule schedule, Func<string, string> edit)
    {
        using var device = new MachineDevice { Architecture = 90, IsWatched = true, Schedule = schedule, Edit = edit };
        try
        {
            return check.Run(device).Difference;
        }
        catch (InvalidOperationException e)
        {
            return e.Message;
        }
    }

    private static CardCheck Check(string name) => CardCheck.All.First(check => check.Name == name);

    private static IEnumerable<TestCaseData> Texts()
        => from probe in new[] { (Name: "cluster-of-2", ClusterProbe.Write(2).Text), (Name: "box-sum-at-16-8", SumProbe.Write().Text) }
           from mutation in Mutations.Of(probe.Text)
           select new TestCaseData(Check(probe.Name), mutation.Name, mutation.Text).SetArgDisplayNames($"{probe.Name}, {mutation.Name}");
}
