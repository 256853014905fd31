using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>What kernels of products are written with, and that they fit.</summary>
[Parallelizable]
internal sealed class GemmTextTests
{
    [Test]
    public void SixteenBitsUseTensorCoresAndCopiesInTheBackground([Values(GpuType.BFloat16, GpuType.Float16)] GpuType type, [Values] bool columns)
    {
        string text = Text(GemmFamily.Mma, Spec(type, columns), GemmTiles.Mma[0]);
        string name = type == GpuType.BFloat16 ? "bf16" : "f16";
        Assert.That(text, Does.Contain($"mma.sync.aligned.m16n8k16.row.col.f32.{name}.{name}.f32").And.Contain("cp.async.cg.shared.global")
            .And.Contain(columns ? "ldmatrix.sync.aligned.m8n8.x4.trans" : "ldmatrix.sync.aligned.m8n8.x4.shared").And.Contain("st.global.v4"));
    }

    [Test]
    public void FloatsMayUseTensorCores()
        => Assert.That(Text(GemmFamily.Mma, Spec(GpuType.Float32, columns: false), GemmTiles.Mma[0]), Does.Contain("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"));

    [Test]
    public void ExactProductsRunOnEveryDevice()
        => Assert.That(Text(GemmFamily.Simt, Spec(GpuType.Float32, columns: false), GemmTiles.Simt[0]), Does.Contain("fma.rn.f32").And.Contain("ld.shared.v4").And.Contain(".target sm_60").And.Not.Contain("cp.async"));

    [TestCase(75, 64)]
    [TestCase(80, 164)]
    [TestCase(86, 100)]
    [TestCase(89, 100)]
    [TestCase(90, 228)]
    [TestCase(120, 100)]
    public void ChosenKernelsFitIntoTheDevice(int architecture, int kilobytes)
    {
        var device = new GemmDeviceClass(architecture, 40, kilobytes * 1024);
        int limit = architecture == 75 ? 64 * 1024 : (kilobytes - 1) * 1024;
        foreach (GpuType type in Enum.GetValues<GpuType>())
        {
            var problem = new GemmProblem { Input = type, Output = type, M = 512, N = 512, K = 1024, InnerCount = 1, OuterCount = 1, StrideA = 4096, StrideB = 2048, StrideY = 2048 };
            foreach (GemmChoice choice in new GemmChooser(device).Candidates(problem, Kernels.Gpu.Gemm.GpuPrecision.TensorFloat32))
            {
                Assert.That(new GemmKernelKey(choice.Family, problem.Spec(), choice.Tile).Write().SharedBytes, Is.LessThanOrEqualTo(limit), $"{choice}");
                Assert.That(choice.Family == GemmFamily.Mma, Is.EqualTo(architecture >= 80));
            }
        }
    }

    [TestCase("bar.sync 0;", GemmFamily.Mma)]
    [TestCase("cp.async.wait_group 1;", GemmFamily.Mma)]
    [TestCase("bar.sync 0;", GemmFamily.Simt)]
    public void TheMachineSeesWhatIsMissing(string instruction, object family)
    {
        GemmTile tile = (GemmFamily)family == GemmFamily.Mma ? new(64, 64, 32, 32, 64, 3, 0) : SimtGemm.Tile(64, 64, 32, 64, 0);
        var gemm = new GemmCase((GemmFamily)family, tile, GpuType.Float32, 64, 64, 128) { Edit = text => text.Replace(instruction, "", StringComparison.Ordinal) };
        int failures = new[] { false, true }.Count(last => Fails(gemm with { Schedule = new() { LastWarpFirst = last } }));
        Assert.That(failures, Is.GreaterThan(0));
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
            catch (AssertionException)
            {
                return true;
            }
        }
    }

    private static GemmSpec Spec(GpuType type, bool columns)
        => new() { Input = type, Output = type, ColumnsA = columns, ColumnsB = !columns, AlignA = 16, AlignB = 16, WideY = true };

    private static string Text(GemmFamily family, GemmSpec spec, GemmTile tile) => new GemmKernelKey(family, spec, tile).Write().Text;
}
