using NanoFold.Gpu.Tests.Compilation;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.OpenCl;
using NanoFold.Kernels.Gpu.Optimizers;
using NanoFold.Kernels.Gpu.Pointwise;
using NanoFold.Kernels.Gpu.Rows;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>OpenCL C as ILGPU writes it, put right: without a device.</summary>
[Parallelizable]
public sealed class OpenClSourceTests
{
    private static readonly OpenClCapabilities s_whole = new()
    {
        Language = 300, HasDouble = true, HasHalf = true, HasFloatAtomics = false, SubGroup = 0, MostThreads = 256, LocalBytes = 65536, BufferBytes = 1L << 32,
    };

    [Test]
    public void BarriersOrderLocalMemoryToo()
    {
        string made = Made(typeof(SquareSumWork), s_whole);
        Assert.That(made, Does.Contain("work_group_barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)").And.Not.Contain("barrier ( CLK_GLOBAL_MEM_FENCE )"));
    }

    [Test]
    public void AtomicOperationsNeedNoGenericAddressSpace()
        => Assert.That(Made(typeof(TopKSortWork<F32>), s_whole), Does.Contain("atomic_add (").And.Not.Contain("atomic_int"));

    [Test]
    public void NoDoubleIsLeftWhereThereIsNone([Values(typeof(SquareSumWork), typeof(DecideWork), typeof(AddSumWork))] Type work)
        => Assert.That(Made(work, s_whole with { HasDouble = false }), Does.Contain("nf_read_double").And.Not.Match(@"\bdouble\b|as_double|as_long"));

    [Test]
    public void NoHalfIsLeftWhereThereIsNone([Values(typeof(CopyWork<F16, F32>), typeof(CopyWork<F32, F16>))] Type work)
        => Assert.That(Made(work, s_whole with { HasHalf = false }), Does.Not.Match(@"\bhalf\b"));

    [TestCase("struct a\n{\n\tfloat field_0;\n\tlong field_1;\n};\n\tlocal struct a var1[3];\n\tlocal float var2[10];\n", 3 * 12 + 40)]
    [TestCase("\tlocal double var1[256];\n", 2048)]
    [TestCase("\tfloat var1;\n", 0)]
    public void LocalMemoryIsCounted(string source, long bytes) => Assert.That(OpenClSource.LocalBytes(source), Is.EqualTo(bytes));

    private static string Made(Type work, OpenClCapabilities capabilities)
    {
        using var compiler = new WorkCompiler();
        return OpenClSource.Rewrite(compiler.ToOpenCl(work)!, capabilities);
    }
}
