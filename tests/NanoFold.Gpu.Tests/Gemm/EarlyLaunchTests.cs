using System.Runtime.CompilerServices;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Kernels that may be started while the one before them still runs.</summary>
internal sealed class EarlyLaunchTests
{
    private static readonly GemmCase s_case = new(GemmFamily.Mma, new(64, 64, 32, 32, 64, 3, 0), GpuType.BFloat16, 70, 64, 200) { Architecture = 90, StartsEarly = true };

    private static readonly GemmCase s_wide = s_case with { Family = GemmFamily.Wgmma, Tile = new(128, 64, 16, 64, 128, 3, 1), M = 200, N = 72, ColumnsB = true };

    private static IEnumerable<GemmCase> Cases()
        => (from gemm in new[] { s_case, s_case with { Input = GpuType.Float32 }, s_case with { Slices = 3 } }
            from edited in new[] { gemm, gemm with { ColumnsB = true, PadA = 1 } }
            select edited).Concat(
            [
                s_wide with { Bias = GpuType.Float32, Residual = GpuType.BFloat16, Multiprocessors = 1 }, s_wide with { ColumnsA = true, ColumnsB = false, Output = GpuType.Float32, Accumulate = true },
                s_wide with { Slices = 2 }, s_wide with { Tile = s_wide.Tile with { Cluster = 2 } }, s_wide with { Tile = s_wide.Tile with { IsStream = true } },
            ]);

    [TestCaseSource(nameof(Cases))]
    public void ProductsAreTheSame(object gemm)
    {
        var early = (GemmCase)gemm;
        early.Check();
        Assert.That(early.Run().Y, Is.EqualTo((early with { StartsEarly = false }).Run().Y));
    }

    [TestCase(false, false)]
    [TestCase(true, false)]
    [TestCase(true, true)]
    public void GroupsAreReadAfterTheWait(bool perGroup, bool columnsB)
        => (s_case with { Offsets = [0, 0, 50, 51, 120], PerGroup = perGroup, ColumnsA = perGroup, ColumnsB = columnsB && !perGroup, M = perGroup ? 56 : 120, K = perGroup ? 120 : 40, N = 48 }).Check();

    [TestCase(1, false)]
    [TestCase(3, false)]
    [TestCase(1, true)]
    [TestCase(2, true)]
    public void WithoutTheWaitItFails(int slices, bool isByWarpgroups)
    {
        GemmCase gemm = (isByWarpgroups ? s_wide : s_case) with { Slices = slices, Edit = text => text.Replace("griddepcontrol.wait;", "", StringComparison.Ordinal) };
        Assert.That(() => gemm.Check(), Throws.InvalidOperationException.With.Message.Contains("memory is touched before griddepcontrol.wait"));
    }

    [TestCase(GemmMode.Batch)]
    [TestCase(GemmMode.SplitDepth)]
    [TestCase(GemmMode.RowGroups)]
    [TestCase(GemmMode.DepthGroups)]
    public void TheLintFindsNothingInThemButAMissingWait(object mode)
    {
        var spec = new GemmSpec { Input = GpuType.BFloat16, Output = GpuType.Float32, Mode = (GemmMode)mode, AlignA = 16, AlignB = 16, WideY = true };
        foreach (GemmKernelKey key in new[] { new GemmKernelKey(GemmFamily.Mma, spec, GemmTiles.Mma[0]), new GemmKernelKey(GemmFamily.Reduce, spec, default) })
        {
            OnlyTheWaitIsMissed(key);
        }
    }

    [Test]
    public void TheLintFindsNothingInThoseByWarpgroups([Values(1, 2)] int cluster, [Values] bool isWide)
        => OnlyTheWaitIsMissed(new GemmKernelKey(
            GemmFamily.Wgmma, new GemmSpec { Input = GpuType.BFloat16, Output = GpuType.BFloat16, AlignA = 16, AlignB = 16, WideY = isWide, Bias = GpuType.BFloat16 }, GemmTiles.Wgmma[1] with { Cluster = cluster }));

    private static void OnlyTheWaitIsMissed(GemmKernelKey key)
    {
        PtxProgram program = key.Write(90, startsEarly: true);
        Assert.That(program.StartsEarly);
        Assert.That(PtxLint.Check(program.Text, program.Threads, program.SharedBytes).Faults, Is.Empty);
        string without = program.Text.Replace("griddepcontrol.wait;", "griddepcontrol.launch_dependents;", StringComparison.Ordinal);
        Assert.That(PtxLint.Check(without, program.Threads, program.SharedBytes).Faults, Has.Some.Contains("before griddepcontrol.wait"));
        Assert.That(key.Write(90).Text, Does.Not.Contain("griddepcontrol"));
    }

    [TestCase(90, 12030, true)]
    [TestCase(120, 13000, true)]
    [TestCase(89, 13000, false)]
    [TestCase(90, 12020, false)]
    public void DeviceAndDriverMustBeNewEnough(int architecture, int driver, bool can) => Assert.That(EarlyLaunch.Can(architecture, driver), Is.EqualTo(can));

    /// <summary>As the driver's header has them.</summary>
    [Test]
    public void StructuresAreThoseOfTheDriver()
        => Assert.That((Unsafe.SizeOf<LaunchConfig>(), Unsafe.SizeOf<LaunchAttribute>()), Is.EqualTo((56, 72)));
}
