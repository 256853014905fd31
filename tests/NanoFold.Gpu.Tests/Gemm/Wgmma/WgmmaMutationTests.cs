using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Gpu.Tests.Ptx.Hopper;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm.Wgmma;

/// <summary>Whether the machine sees every missing or wrong piece of order in products by warpgroups: each must be a fault or a wrong result in one of its schedules.</summary>
[Parallelizable]
internal sealed class WgmmaMutationTests
{
    // One block has four tiles, each of five steps of the depth through a ring of two stages.
    private static readonly GemmCase s_case = new(GemmFamily.Wgmma, new(128, 64, 16, 64, 128, 2, 1), GpuType.BFloat16, 256, 128, 320) { ColumnsB = true, Multiprocessors = 1 };

    // The same tiles by a cluster of two blocks, which has one more beneath the other.
    private static readonly GemmCase s_cluster = s_case with { Tile = s_case.Tile with { Cluster = 2 }, Multiprocessors = 2 };

    private static readonly PtxSchedule[] s_schedules = [.. PtxSchedule.All(8)], s_inClusters = WgmmaClusterTests.Schedules(8);

    [TestCaseSource(nameof(Texts))]
    public void WhatIsMissingIsSeen(string name, string text, bool hasResidual)
        => Seen((hasResidual ? s_case with { Residual = GpuType.BFloat16 } : s_case) with { Edit = _ => text }, name);

    [TestCaseSource(nameof(ClusterTexts))]
    public void WhatIsMissingInAClusterIsSeen(string name, string text, bool columnsB) => Seen(s_cluster with { ColumnsB = columnsB, Edit = _ => text }, name);

    [Test]
    public void WaitsForOtherBlocksAreOfTheWholeCluster()
        => Seen(s_cluster with { Edit = text => text.Replace(".acquire.cluster", "", StringComparison.Ordinal) }, "waits are of the own block");

    [Test]
    public void NothingIsSeenInAClusterWhereNothingIsWrong([Values] bool columnsB)
    {
        foreach (PtxSchedule schedule in s_inClusters)
        {
            (s_cluster with { ColumnsB = columnsB, Schedule = schedule }).Check();
        }
    }

    [TestCaseSource(nameof(Layouts))]
    public void AWrongLayoutIsSeen(string name, bool columnsA, bool columnsB, Func<string, string> edit)
        => Seen(s_case with { Tile = new(128, 128, 16, 128, 128, 2, 1), ColumnsA = columnsA, ColumnsB = columnsB, Edit = edit }, name);

    [Test]
    public void AMapWithoutSwizzleIsSeen([Values] bool columnsB)
        => Seen(s_case with { ColumnsB = columnsB, EditMap = WithoutSwizzle }, "tensor maps do not swizzle");

    [Test]
    public void NothingIsSeenWhereNothingIsWrong([Values] bool residual)
    {
        foreach (PtxSchedule schedule in s_schedules.Take(7))
        {
            (s_case with { Residual = residual ? GpuType.BFloat16 : null, Schedule = schedule }).Check();
        }
    }

    private static TensorMap WithoutSwizzle(TensorMap map) => FakeTensorMap.Encode(FakeTensorMap.Decode(map).Shape, swizzles: false);

    private static void Seen(GemmCase mutated, string name)
    {
        foreach (PtxSchedule schedule in mutated.Tile.Cluster > 1 ? s_inClusters : s_schedules)
        {
            if (Fails(mutated with { Schedule = schedule }))
            {
                return;
            }
        }

        Assert.Fail($"nothing is seen of: {name}");
    }

    private static bool Fails(GemmCase gemm)
    {
        using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
        {
            try
            {
                gemm.Check();
                return false;
            }
            catch (Exception e) when (e is AssertionException or InvalidOperationException)
            {
                return true;
            }
        }
    }

    private static IEnumerable<TestCaseData> Texts()
    {
        foreach (bool hasResidual in new[] { false, true })
        {
            var spec = new GemmSpec
            {
                Input = GpuType.BFloat16, Output = GpuType.BFloat16, ColumnsB = true, AlignA = 16, AlignB = 16, WideY = true, Residual = hasResidual ? GpuType.BFloat16 : null,
            };
            foreach ((string name, string text) in Mutations.Of(WgmmaGemm.Write(spec, s_case.Tile).Text))
            {
                yield return new TestCaseData(name, text, hasResidual).SetArgDisplayNames($"{(hasResidual ? "residual, " : "")}{name}");
            }
        }
    }

    private static IEnumerable<TestCaseData> ClusterTexts()
    {
        foreach (bool columnsB in new[] { true, false })
        {
            var spec = new GemmSpec { Input = GpuType.BFloat16, Output = GpuType.BFloat16, ColumnsB = columnsB, AlignA = 16, AlignB = 16, WideY = true };
            foreach ((string name, string text) in Mutations.Of(WgmmaGemm.Write(spec, s_cluster.Tile).Text))
            {
                yield return new TestCaseData(name, text, columnsB).SetArgDisplayNames($"{(columnsB ? "" : "rows of b, ")}{name}");
            }
        }
    }

    private static IEnumerable<TestCaseData> Layouts()
    {
        // Halves of descriptors: the way to the next 64 of m or n (lower, upper 16 bits), to the next atom and the swizzle (upper half).
        (string Name, bool A, bool B, string From, string To)[] edits =
        [
            ("descriptors do not swizzle", false, true, "1073741888", "64"),
            ("descriptors swizzle 64 bytes", false, true, "1073741888", "-2147483584"),
            ("the next eight rows are elsewhere", false, true, "1073741888", "1073741952"),
            ("the next eight steps are elsewhere", true, false, "1073741888", "1073741952"),
            ("a step of the depth is elsewhere", false, true, ", 2;", ", 4;"),
            ("the next 64 columns are elsewhere", false, false, "33554432", "16777216"),
            ("a is read along the depth", true, false, ", 1, 1, 1, 1;", ", 1, 1, 0, 1;"),
            ("b is read along the depth", true, false, ", 1, 1, 1, 1;", ", 1, 1, 1, 0;"),
        ];
        return edits.Select(e => new TestCaseData(e.Name, e.A, e.B, (Func<string, string>)(text => text.Replace(e.From, e.To, StringComparison.Ordinal))).SetArgDisplayNames(e.Name));
    }
}
